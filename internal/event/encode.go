package event

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/lifecycle"
)

// An Encoder encodes the message of a resource's next event.
type Encoder struct {
	Names      Names
	BaseURL    string    // of MK.IO's API, without a trailing slash; the sources of events begin with it
	MaxPayload int       // limit of NATS for a message, in bytes of headers and payload
	Log        time.Time // identity of the log: when its stream was created; zero: not read yet
	Origin     Trace     // the span where the event's trace began; zero: no trace
	Span       Trace     // the span that publishes the event
}

// A Message is an encoded event, ready to be published. A Message that is used again reuses its buffers.
type Message struct {
	ID      string // of the event
	Subject string
	Header  nats.Header
	Payload []byte
	Fact    lifecycle.Fact // what the log has after the write; without the sequence

	stays      lifecycle.Stays // of the fact
	data       bytes.Buffer    // of the event
	values     []string        // of all headers, in one allocation
	headerSize int             // of the headers on the wire, in bytes
}

// Encode encodes the event of an observation into m, and overwrites its former content. previous is the resource's last
// event (nil: none); recorded is the time of recording. If the event exceeds the payload limit, the resource is omitted, and
// then the correlation data and the errors.
func (enc Encoder) Encode(m *Message, o lifecycle.Observation, previous *lifecycle.Fact, recorded time.Time) error {
	subject, resource := enc.Names.subjectAndResource(o.Key, o.State)
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
		PartitionKey: resource,
		RecordedTime: recorded.UTC().Truncate(time.Millisecond),
		Origin:       enc.Origin,
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
		e.Data.Errors = append(e.Data.Errors, Problem(p))
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
	if err := e.setAttributes(eventID, enc.BaseURL+o.Source, TypeOf(o.Key.Kind, o.Discovered && transition == 1), o.Subject, at); err != nil {
		return fmt.Errorf("event of %s: %w", o.Key, err)
	}
	m.ID, m.Subject = eventID, subject
	m.stays = lifecycle.StaysAfter(o.Key.Kind, previous, factOf(&o, transition, e.RecordedTime, ""))
	return enc.fit(m, &e, &o)
}

// setAttributes sets the attributes and extension attributes of the CloudEvent.
func (e *Event) setAttributes(id, source, eventType, subject string, at time.Time) error {
	ref := types.ParseURIRef(source)
	if ref == nil {
		return fmt.Errorf("source %q is not a URI reference", source)
	}
	context := &cloudevents.EventContextV1{
		ID: id, Source: *ref, Type: eventType, Time: &types.Timestamp{Time: at},
		DataContentType: &dataContentType, DataSchema: dataSchema,
		Extensions: map[string]any{
			extensionPartitionKey: e.PartitionKey,
			extensionRecordedTime: types.Timestamp{Time: e.RecordedTime},
		},
	}
	if subject != "" {
		context.Subject = &subject
	}
	if e.Origin.Parent != "" {
		context.Extensions[extensionTraceParent] = e.Origin.Parent
	}
	if e.Origin.State != "" {
		context.Extensions[extensionTraceState] = e.Origin.State
	}
	e.Context = context
	return e.Validate()
}

// Attributes that are the same for every event.
var (
	dataContentType = cloudevents.ApplicationJSON
	dataSchema      = types.ParseURI(DataSchema)
)

// fit writes an event, and omits members of it if it is too large.
func (enc Encoder) fit(m *Message, e *Event, o *lifecycle.Observation) error {
	size, err := enc.write(m, e, o)
	if err != nil || size <= enc.MaxPayload {
		return err
	}
	e.Data.ResourceOmitted = fmt.Sprintf("with the resource the event has %d bytes, over the %d that NATS takes", size, enc.MaxPayload)
	e.Data.Resource = nil
	if size, err = enc.write(m, e, o); err != nil || size <= enc.MaxPayload {
		return err
	}
	e.Data.ResourceOmitted += "; correlation data and errors are left out too"
	e.Data.CorrelationData, e.Data.Errors = nil, nil
	if size, err = enc.write(m, e, o); err != nil || size <= enc.MaxPayload {
		return err
	}
	return fmt.Errorf("event of %s has %d bytes without its resource, over the NATS limit of %d: raise the server's max_payload", o.Key, size, enc.MaxPayload)
}

// write writes an event, and returns the size of the message in bytes.
func (enc Encoder) write(m *Message, e *Event, o *lifecycle.Observation) (size int, err error) {
	if e.DataEncoded, err = e.Data.encode(&m.data); err != nil { // as bytes: SetData would write them as base64
		return 0, fmt.Errorf("data of the event of %s: %w", o.Key, err)
	}
	payload := bytes.NewBuffer(slices.Grow(m.Payload[:0], attributesSize+len(e.DataEncoded)))
	if err := cloudevents.WriteJson(&e.Event, payload); err != nil {
		return 0, fmt.Errorf("event of %s: %w", o.Key, err)
	}
	m.Payload = payload.Bytes()
	m.Fact = factOf(o, e.Data.Transition, e.RecordedTime, Hash(m.Payload))
	m.Fact.Stays = m.stays
	m.writeHeader(enc.Span)
	return len(m.Payload) + m.headerSize + expectHeaderSize + enc.Names.filterSize(e.PartitionKey) + len(enc.Names.EventStream()), nil
}

// encode encodes the data into a buffer, which it empties first. MK.IO's own JSON is copied as it is: it was checked when it was
// redacted, and encoding/json would check and compact it again, which takes as long as all the rest.
func (d Data) encode(b *bytes.Buffer) ([]byte, error) {
	var correlation, resource json.RawMessage
	if d.ResourceOmitted == "" { // else it follows them
		correlation, resource = d.CorrelationData, d.Resource
		d.CorrelationData, d.Resource = nil, nil
	}
	b.Reset()
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false) // "<" needs no escape outside of HTML
	if err := encoder.Encode(&d); err != nil {
		return nil, err
	}
	b.Truncate(b.Len() - len("}\n"))
	appendRaw(b, `,"correlationData":`, correlation)
	appendRaw(b, `,"resource":`, resource)
	b.WriteByte('}')
	return b.Bytes(), nil
}

func appendRaw(b *bytes.Buffer, name string, value []byte) {
	if len(value) > 0 {
		b.WriteString(name)
		b.Write(value)
	}
}

// attributesSize is the size of the attributes of most events in bytes.
const attributesSize = 1024

func factOf(o *lifecycle.Observation, transition uint64, recorded time.Time, hash string) lifecycle.Fact {
	f := lifecycle.Fact{
		Transition: transition, State: o.State, Provisioning: o.Provisioning, Life: o.Life,
		At: o.At, Modified: o.Modified, SeenAfter: o.SeenAfter, SeenBefore: o.SeenBefore,
		Via: o.Via, Recorded: recorded, Hash: hash,
	}
	if o.Delivery != nil {
		f.Delivery = o.Delivery.ID
	}
	return f
}

// Hash returns the lower-case hex SHA-256 of a payload, by which the next event refers to it.
func Hash(payload []byte) string {
	sum := sha256.Sum256(payload)
	var digits [2 * sha256.Size]byte
	return string(hex.AppendEncode(digits[:0], sum[:]))
}

// TimeOf returns the event's time and its origin: MK.IO's time of the change, else the record's modification time (unless a
// later response still had the former state), else the time of the observation.
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

// optional returns nil for the zero time.
func optional(t *time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return t
}

// expectHeaderSize is the size of the headers that [Message.Expect] adds, without the filter and the stream's name, in
// bytes.
const expectHeaderSize = len("Nats-Expected-Last-Subject-Sequence: 18446744073709551615\r\n") +
	len("Nats-Expected-Last-Subject-Sequence-Subject: \r\n") + len("Nats-Expected-Stream: \r\n")
