package event

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/lifecycle"
)

// An Encoder makes the message of a resource's next event.
type Encoder struct {
	Names      Names
	BaseURL    string    // of MK.IO's API, without a trailing slash; events' sources lie below it
	MaxPayload int       // bytes of headers and payload that NATS takes in one message
	Log        time.Time // identity of the log: when its stream was created; zero: not read yet
	Origin     Trace     // where the trace began that the event is written in; zero: in none
	Span       Trace     // that publishes it
}

// A Message is an event that is ready to be published. The zero Message has room for none; one that was used before
// keeps its room for the next.
type Message struct {
	ID      string // of the event
	Subject string
	Header  nats.Header
	Payload []byte
	Fact    lifecycle.Fact // what the log holds once it is stored; without the sequence

	values     []string // of all headers: one by one they would be as many allocations
	headerSize int      // bytes that the headers have on the wire
}

// Encode makes m the event that an observation becomes. previous is the resource's last event, nil
// when there is none; recorded is the moment the bridge makes it. Where the event would pass the
// payload limit the resource is left out, then the correlation data and the errors. What m was before is overwritten.
func (enc Encoder) Encode(m *Message, o lifecycle.Observation, previous *lifecycle.Fact, recorded time.Time) error {
	subject, resource := enc.Names.place(o.Key, o.State)
	at, from := TimeOf(o)
	transition := uint64(1)
	if previous != nil {
		transition = previous.Transition + 1
	}
	var (
		id    [idDigits]byte
		names [lifecycle.MaxDepth]string
	)
	eventID := string(enc.appendID(id[:0], resource, transition, &o, recorded))
	e := Event{
		SpecVersion:     specVersion,
		ID:              eventID,
		Source:          o.Source,
		Type:            TypeOf(o.Key.Kind, o.Discovered && transition == 1),
		Subject:         o.Subject,
		Time:            at,
		DataContentType: dataContentType,
		DataSchema:      DataSchema,
		PartitionKey:    resource,
		RecordedTime:    recorded.UTC().Truncate(time.Millisecond),
		TraceParent:     enc.Origin.Parent,
		TraceState:      enc.Origin.State,
		Data: Data{
			Kind:              o.Key.Kind,
			Project:           o.Key.Project,
			Name:              o.Key.Name(),
			Path:              o.Key.AppendNames(names[:0]),
			Transition:        transition,
			State:             o.State,
			Phase:             lifecycle.PhaseOf(o.Key.Kind, o.State, o.Provisioning),
			ProvisioningState: o.Provisioning,
			Evidence: Evidence{
				Life:       o.Life,
				Modified:   optional(&o.Modified),
				SeenAfter:  optional(&o.SeenAfter),
				SeenBefore: optional(&o.SeenBefore),
				TimeFrom:   from,
			},
			Via:                   o.Via,
			ReportedPreviousState: o.ReportedPrevious,
			CorrelationData:       o.Correlation,
			Resource:              o.Resource,
		},
	}
	for _, p := range o.Problems {
		e.Data.Errors = append(e.Data.Errors, Problem{Code: p.Code, Message: p.Message})
	}
	if o.Delivery != nil {
		e.Data.Delivery = &Delivery{
			ID: o.Delivery.ID, Type: o.Delivery.Type,
			Time: optional(&o.Delivery.Time), ReceivedTime: o.Delivery.Received,
		}
	}
	if previous != nil {
		e.Data.PreviousHash = previous.Hash
		e.Data.PreviousState = &previous.State
		e.Data.PreviousPhase = lifecycle.PhaseOf(o.Key.Kind, previous.State, previous.Provisioning)
		e.Data.Evidence.PreviousSequence = previous.Sequence
	}
	m.ID, m.Subject = eventID, subject
	return enc.fit(m, &e, &o)
}

// fit writes an event, with less of it where it would be too large.
func (enc Encoder) fit(m *Message, e *Event, o *lifecycle.Observation) error {
	size := enc.write(m, e, o)
	if size <= enc.MaxPayload {
		return nil
	}
	e.Data.ResourceOmitted = fmt.Sprintf("with the resource the event has %d bytes, over the %d that NATS takes", size, enc.MaxPayload)
	e.Data.Resource = nil
	if size = enc.write(m, e, o); size <= enc.MaxPayload {
		return nil
	}
	e.Data.ResourceOmitted += "; correlation data and errors are left out too"
	e.Data.CorrelationData, e.Data.Errors = nil, nil
	if size = enc.write(m, e, o); size <= enc.MaxPayload {
		return nil
	}
	return fmt.Errorf("event of %s has %d bytes without its resource, over the %d that NATS takes: raise the server's max_payload", o.Key, size, enc.MaxPayload)
}

// write writes an event as it is, and tells the size of the whole.
func (enc Encoder) write(m *Message, e *Event, o *lifecycle.Observation) int {
	m.Payload = e.append(slices.Grow(m.Payload[:0], eventRoom+len(e.Data.Resource)+len(e.Data.CorrelationData)), enc.BaseURL)
	m.Fact = factOf(o, e.Data.Transition, m.Payload)
	m.writeHeader(enc.Span)
	return len(m.Payload) + m.headerSize + expectHeaderSize + enc.Names.filterSize(e.PartitionKey) + len(enc.Names.EventStream())
}

// eventRoom is how many bytes most events have beside the resource and correlation data.
const eventRoom = 1536

func factOf(o *lifecycle.Observation, transition uint64, payload []byte) lifecycle.Fact {
	f := lifecycle.Fact{
		Transition: transition, State: o.State, Provisioning: o.Provisioning, Life: o.Life,
		At: o.At, Modified: o.Modified, SeenAfter: o.SeenAfter, SeenBefore: o.SeenBefore,
		Hash: Hash(payload),
	}
	if o.Delivery != nil {
		f.Delivery = o.Delivery.ID
	}
	return f
}

// Hash is the lower-case hex SHA-256 by which an event names the one before it.
func Hash(payload []byte) string {
	sum := sha256.Sum256(payload)
	var digits [2 * sha256.Size]byte
	return string(hex.AppendEncode(digits[:0], sum[:]))
}

// TimeOf is the event's time and where it comes from: MK.IO's time of the change, else the time
// MK.IO last modified the record (unless the state before was still shown after it), else the moment
// the bridge saw it.
func TimeOf(o lifecycle.Observation) (at time.Time, from string) {
	switch {
	case !o.At.IsZero():
		return o.At.UTC(), TimeFromMKIO
	case !o.Modified.IsZero() && !o.Modified.Before(o.SeenAfter):
		return o.Modified.UTC(), TimeFromMKIO
	case !o.SeenBefore.IsZero():
		return o.SeenBefore.UTC(), TimeFromObserved
	case o.Delivery != nil:
		return o.Delivery.Received.UTC(), TimeFromObserved
	}
	return time.Time{}, TimeFromObserved
}

// optional is a time, where there is one.
func optional(t *time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return t
}

// expectHeaderSize is what the headers of the expected sequence and stream add, but for the filter
// and the stream's name.
const expectHeaderSize = len("Nats-Expected-Last-Subject-Sequence: 18446744073709551615\r\n") +
	len("Nats-Expected-Last-Subject-Sequence-Subject: \r\n") + len("Nats-Expected-Stream: \r\n")
