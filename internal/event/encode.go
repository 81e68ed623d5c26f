package event

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/lifecycle"
)

// An Encoder makes the message of a resource's next event.
type Encoder struct {
	Names      Names
	BaseURL    string // of MK.IO's API, without a trailing slash; events' sources lie below it
	MaxPayload int    // bytes of headers and payload that NATS takes in one message
	Origin     Trace  // where the trace began that the event is written in; zero: in none
	Span       Trace  // that publishes it
}

// A Message is an event that is ready to be published.
type Message struct {
	Subject string
	Header  nats.Header
	Payload []byte
	Fact    lifecycle.Fact // what the log holds once it is stored; without the sequence
}

// Encode makes the event that an observation becomes. previous is the resource's last event, nil
// when there is none; recorded is the moment the bridge makes it. Where the event would pass the
// payload limit the resource is left out, then the correlation data and the errors.
func (enc Encoder) Encode(o lifecycle.Observation, previous *lifecycle.Fact, recorded time.Time) (Message, error) {
	data := dataOf(o, previous)
	m, size, err := enc.message(o, data, recorded)
	if err != nil || size <= enc.MaxPayload {
		return m, err
	}
	data.ResourceOmitted = fmt.Sprintf("with the resource the event has %d bytes, over the %d that NATS takes", size, enc.MaxPayload)
	data.Resource = nil
	m, size, err = enc.message(o, data, recorded)
	if err != nil || size <= enc.MaxPayload {
		return m, err
	}
	data.ResourceOmitted += "; correlation data and errors are left out too"
	data.CorrelationData, data.Errors = nil, nil
	m, size, err = enc.message(o, data, recorded)
	if err == nil && size > enc.MaxPayload {
		err = fmt.Errorf("event of %s has %d bytes without its resource, over the %d that NATS takes: raise the server's max_payload", o.Key, size, enc.MaxPayload)
	}
	return m, err
}

// message encodes data as it is and tells the size of the whole.
func (enc Encoder) message(o lifecycle.Observation, data Data, recorded time.Time) (Message, int, error) {
	resource := enc.Names.Resource(o.Key)
	payload, err := enc.payload(o, data, resource, recorded)
	if err != nil {
		return Message{}, 0, fmt.Errorf("encode event of %s: %w", o.Key, err)
	}
	fact := factOf(o, data.Transition, payload)
	m := Message{Subject: enc.Names.Subject(resource, o.State), Header: headerOf(fact), Payload: payload, Fact: fact}
	enc.Span.AddTo(m.Header)
	return m, len(payload) + headerSize(m.Header) + expectHeaderSize + len(enc.Names.Filter(resource)) + len(enc.Names.EventStream()), nil
}

func (enc Encoder) payload(o lifecycle.Observation, data Data, resource string, recorded time.Time) ([]byte, error) {
	encoded, err := marshal(data)
	if err != nil {
		return nil, err
	}
	at, _ := TimeOf(o)
	e := cloudevents.New()
	e.SetID(idOf(resource, data.Transition, data.State))
	e.SetSource(enc.BaseURL + o.Source)
	e.SetType(TypeOf(o.Key.Kind, o.Discovered && data.Transition == 1))
	e.SetSubject(o.Subject)
	e.SetTime(at)
	e.SetDataContentType(cloudevents.ApplicationJSON)
	e.SetDataSchema(DataSchema)
	e.SetExtension("partitionkey", resource)
	e.SetExtension("recordedtime", recorded.UTC().Truncate(time.Millisecond))
	if enc.Origin.Parent != "" {
		e.SetExtension(HeaderTraceParent, enc.Origin.Parent)
	}
	if enc.Origin.State != "" {
		e.SetExtension(HeaderTraceState, enc.Origin.State)
	}
	e.DataEncoded = encoded // SetData would encode bytes as base64
	if err := e.Validate(); err != nil {
		return nil, err
	}
	return e.MarshalJSON()
}

func dataOf(o lifecycle.Observation, previous *lifecycle.Fact) Data {
	_, from := TimeOf(o)
	d := Data{
		Kind:              o.Key.Kind,
		Project:           o.Key.Project,
		Name:              o.Key.Name(),
		Path:              o.Key.Names(),
		Transition:        1,
		State:             o.State,
		Phase:             lifecycle.PhaseOf(o.Key.Kind, o.State, o.Provisioning),
		ProvisioningState: o.Provisioning,
		Evidence: Evidence{
			Life:       o.Life,
			Modified:   optional(o.Modified),
			SeenAfter:  optional(o.SeenAfter),
			SeenBefore: optional(o.SeenBefore),
			TimeFrom:   from,
		},
		Via:                   o.Via,
		ReportedPreviousState: o.ReportedPrevious,
		CorrelationData:       o.Correlation,
		Resource:              o.Resource,
	}
	for _, p := range o.Problems {
		d.Errors = append(d.Errors, Problem{Code: p.Code, Message: p.Message})
	}
	if o.Delivery != nil {
		d.Delivery = &Delivery{
			ID: o.Delivery.ID, Type: o.Delivery.Type,
			Time: optional(o.Delivery.Time), ReceivedTime: o.Delivery.Received.UTC(),
		}
	}
	if previous != nil {
		d.Transition = previous.Transition + 1
		d.PreviousHash = previous.Hash
		d.PreviousState = &previous.State
		d.PreviousPhase = lifecycle.PhaseOf(o.Key.Kind, previous.State, previous.Provisioning)
		d.Evidence.PreviousSequence = previous.Sequence
	}
	return d
}

func factOf(o lifecycle.Observation, transition uint64, payload []byte) lifecycle.Fact {
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
	return hex.EncodeToString(sum[:])
}

// IDOf is the id of the event of a resource that is, or becomes, a fact.
func IDOf(resource string, f lifecycle.Fact) string { return idOf(resource, f.Transition, f.State) }

// idOf derives an event's id from its place, so that every bridge gives one event one id.
func idOf(resource string, transition uint64, state string) string {
	return Hash([]byte(resource + "\n" + strconv.FormatUint(transition, 10) + "\n" + strings.ToLower(state)))[:32]
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

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // "<" in a name is no danger here, and \u003c is hard to read
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// expectHeaderSize is what the headers of the expected sequence and stream add, but for the filter
// and the stream's name.
const expectHeaderSize = len("Nats-Expected-Last-Subject-Sequence: 18446744073709551615\r\n") +
	len("Nats-Expected-Last-Subject-Sequence-Subject: \r\n") + len("Nats-Expected-Stream: \r\n")

// headerSize is how many bytes a header block has on the wire.
func headerSize(h nats.Header) int {
	size := len("NATS/1.0\r\n") + len("\r\n")
	for name, values := range h {
		for _, v := range values {
			size += len(name) + len(": ") + len(v) + len("\r\n")
		}
	}
	return size
}
