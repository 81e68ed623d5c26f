package event

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/lifecycle"
)

// ContentType is the NATS header value that tells structured CloudEvents.
const ContentType = "application/cloudevents+json"

// The headers of an event. Values are percent-encoded where they hold anything but visible ASCII;
// a header whose value is not known is absent.
const (
	HeaderContentType  = "Content-Type"
	HeaderState        = "Mkio-State"              // exactly as MK.IO spelt it
	HeaderTransition   = "Mkio-Transition"         // decimal, 1 for the first
	HeaderProvisioning = "Mkio-Provisioning-State" // InProgress, Succeeded, Failed
	HeaderLife         = "Mkio-Life"
	HeaderTime         = "Mkio-Time" // MK.IO's time of the change, RFC 3339
	HeaderModified     = "Mkio-Modified"
	HeaderSeenAfter    = "Mkio-Seen-After"
	HeaderSeenBefore   = "Mkio-Seen-Before"
	HeaderDelivery     = "Mkio-Delivery-Id"
	HeaderHash         = "Mkio-Hash" // SHA-256 of the payload, lower-case hex
)

// The headers of a message that was written in somebody's trace, spelt and written as W3C Trace Context has them. They
// name the span that published it; the attributes of the same names say where the trace began.
const (
	HeaderTraceParent = "traceparent"
	HeaderTraceState  = "tracestate"
)

// A Trace is a place in a trace. Both are empty where nobody traces.
type Trace struct {
	Parent string // of the form of traceparent
	State  string // of tracestate
}

// AddTo writes it into the headers of a message, each by set.
func (t Trace) AddTo(set func(name, value string)) {
	if t.Parent != "" {
		set(HeaderTraceParent, t.Parent)
	}
	if t.State != "" {
		set(HeaderTraceState, t.State)
	}
}

// HeaderProbe is on an empty message that asks whether a stream could be written. None stores it.
const HeaderProbe = "Mkio-Probe"

// The headers of a delivery that became no event.
const (
	HeaderReason   = "Mkio-Reason"
	HeaderDetail   = "Mkio-Detail"      // percent-encoded
	HeaderReceived = "Mkio-Received"    // RFC 3339
	HeaderLength   = "Mkio-Body-Length" // bytes of the body as it came
	HeaderDigest   = "Mkio-Body-Sha256" // of the body as it came, lower-case hex
)

// mostHeaders is how many headers an event can have, those of its write included.
const mostHeaders = 20

// writeHeader writes down the message's fact, whose sequence is given by the stream, and the span that publishes it.
func (m *Message) writeHeader(span Trace) {
	if m.Header == nil {
		m.Header, m.values = make(nats.Header, mostHeaders), make([]string, 0, mostHeaders)
	}
	clear(m.Header)
	m.values, m.headerSize = m.values[:0], len("NATS/1.0\r\n")+len("\r\n")
	f := &m.Fact
	m.set(HeaderContentType, ContentType)
	m.set(HeaderTransition, strconv.FormatUint(f.Transition, 10))
	m.set(HeaderHash, f.Hash)
	m.set(HeaderState, url.PathEscape(f.State))
	m.setText(HeaderProvisioning, f.Provisioning)
	m.setText(HeaderLife, f.Life)
	m.setText(HeaderDelivery, f.Delivery)
	m.setTime(HeaderTime, f.At)
	m.setTime(HeaderModified, f.Modified)
	m.setTime(HeaderSeenAfter, f.SeenAfter)
	m.setTime(HeaderSeenBefore, f.SeenBefore)
	span.AddTo(m.set)
}

// set gives a header its one value.
func (m *Message) set(name, value string) {
	m.values = append(m.values, value)
	m.Header[name] = m.values[len(m.values)-1 : len(m.values) : len(m.values)]
	m.headerSize += len(name) + len(": ") + len(value) + len("\r\n")
}

func (m *Message) setText(name, value string) {
	if value != "" {
		m.set(name, url.PathEscape(value))
	}
}

func (m *Message) setTime(name string, t time.Time) {
	if !t.IsZero() {
		m.set(name, t.UTC().Format(time.RFC3339Nano))
	}
}

// Expect has the message stored by one stream alone, and only while the last message that it holds on the subjects of
// filter has the given sequence; 0: while it holds none. The stream's name is stored with the event, so that no other
// stream takes a copy of it.
func (m *Message) Expect(stream, filter string, sequence uint64) {
	m.set(jetstream.ExpectedStreamHeader, stream)
	m.set(jetstream.ExpectedLastSubjSeqSubjHeader, filter)
	m.set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(sequence, 10))
}

// FactOf reads what an event's headers say of it. sequence is the event's place in the log.
func FactOf(h nats.Header, sequence uint64) (lifecycle.Fact, error) {
	f := lifecycle.Fact{Sequence: sequence, Hash: strings.Clone(h.Get(HeaderHash))}
	var err error
	if f.Transition, err = strconv.ParseUint(h.Get(HeaderTransition), 10, 64); err != nil {
		return f, fmt.Errorf("message %d is no event of the bridge: header %s is %q", sequence, HeaderTransition, h.Get(HeaderTransition))
	}
	text := func(name string) string {
		value, wrong := url.PathUnescape(h.Get(name))
		if wrong != nil && err == nil {
			err = fmt.Errorf("event %d: header %s: %w", sequence, name, wrong)
		}
		return strings.Clone(value) // by itself: it would keep the whole message for as long as the resource is known
	}
	moment := func(name string) time.Time {
		value := h.Get(name)
		if value == "" {
			return time.Time{}
		}
		t, wrong := time.Parse(time.RFC3339Nano, value)
		if wrong != nil && err == nil {
			err = fmt.Errorf("event %d: header %s: %w", sequence, name, wrong)
		}
		return t
	}
	f.State, f.Provisioning, f.Life, f.Delivery = text(HeaderState), text(HeaderProvisioning), text(HeaderLife), text(HeaderDelivery)
	f.At, f.Modified = moment(HeaderTime), moment(HeaderModified)
	f.SeenAfter, f.SeenBefore = moment(HeaderSeenAfter), moment(HeaderSeenBefore)
	return f, err
}

// headerSource marks a message that the server copied from another stream: "<stream> <sequence> …".
const headerSource = "Nats-Stream-Source"

// FactOfState reads an entry of the state bucket, which the server filled from the event log.
func FactOfState(h nats.Header) (lifecycle.Fact, error) {
	origin := strings.Fields(h.Get(headerSource))
	if len(origin) < 2 {
		return lifecycle.Fact{}, fmt.Errorf("it was not filled from the event log: header %s is %q", headerSource, h.Get(headerSource))
	}
	sequence, err := strconv.ParseUint(origin[1], 10, 64)
	if err != nil {
		return lifecycle.Fact{}, fmt.Errorf("header %s: %w", headerSource, err)
	}
	return FactOf(h, sequence)
}
