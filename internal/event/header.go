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

// ContentType is the value of the header Content-Type that marks structured CloudEvents.
const ContentType = "application/cloudevents+json"

// The headers of an event. Values with other characters than visible ASCII are percent-encoded; a header without a known
// value is absent.
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
	HeaderVia          = "Mkio-Via"      // webhook, poll or history
	HeaderRecorded     = "Mkio-Recorded" // the event's recordedtime, RFC 3339
	HeaderHash         = "Mkio-Hash"     // SHA-256 of the payload, lower-case hex
	HeaderStays        = "Mkio-Stays"    // [lifecycle.Stays]
)

// The headers of a message that was published within a trace, as in W3C Trace Context. They identify the span that published
// it; the event's attributes of the same names identify the span where the trace began.
const (
	HeaderTraceParent = "traceparent"
	HeaderTraceState  = "tracestate"
)

// A Trace identifies a span. Both fields are empty without tracing.
type Trace struct {
	Parent string // as in traceparent
	State  string // as in tracestate
}

// AddTo calls set with each header of the trace.
func (t Trace) AddTo(set func(name, value string)) {
	if t.Parent != "" {
		set(HeaderTraceParent, t.Parent)
	}
	if t.State != "" {
		set(HeaderTraceState, t.State)
	}
}

// HeaderProbe marks a test write: an empty message that every stream refuses.
const HeaderProbe = "Mkio-Probe"

// The headers of a delivery that became no event.
const (
	HeaderReason   = "Mkio-Reason"
	HeaderDetail   = "Mkio-Detail"      // percent-encoded
	HeaderReceived = "Mkio-Received"    // RFC 3339
	HeaderLength   = "Mkio-Body-Length" // bytes of the body as received
	HeaderDigest   = "Mkio-Body-Sha256" // of the body as received, lower-case hex
)

// maxHeaders is the largest number of headers of an event, those of [Message.Expect] included.
const maxHeaders = 22

// writeHeader sets the headers: those of the message's fact, without the sequence, and those of the span that publishes it.
func (m *Message) writeHeader(span Trace) {
	if m.Header == nil {
		m.Header, m.values = make(nats.Header, maxHeaders), make([]string, 0, maxHeaders)
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
	m.setText(HeaderVia, string(f.Via))
	m.setTime(HeaderTime, f.At)
	m.setTime(HeaderModified, f.Modified)
	m.setTime(HeaderSeenAfter, f.SeenAfter)
	m.setTime(HeaderSeenBefore, f.SeenBefore)
	m.setTime(HeaderRecorded, f.Recorded)
	if f.Stays != "" {
		m.set(HeaderStays, string(f.Stays))
	}
	span.AddTo(m.set)
}

// set sets a header.
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

// Expect adds the headers that make one stream store the message, and only if its last message on the subjects of filter has
// the given sequence (0: if it has none). The stream's name is stored with the event, so that every other stream refuses a
// copy of it.
func (m *Message) Expect(stream, filter string, sequence uint64) {
	m.set(jetstream.ExpectedStreamHeader, stream)
	m.set(jetstream.ExpectedLastSubjSeqSubjHeader, filter)
	m.set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(sequence, 10))
}

// FactOf decodes an event's headers. sequence is that of the event in the log.
func FactOf(h nats.Header, sequence uint64) (lifecycle.Fact, error) {
	f := lifecycle.Fact{Sequence: sequence, Hash: strings.Clone(h.Get(HeaderHash))}
	var err error
	if f.Transition, err = strconv.ParseUint(h.Get(HeaderTransition), 10, 64); err != nil {
		return f, fmt.Errorf("message %d is not an event of the bridge: header %s is %q", sequence, HeaderTransition, h.Get(HeaderTransition))
	}
	text := func(name string) string {
		value, decodeErr := url.PathUnescape(h.Get(name))
		if decodeErr != nil && err == nil {
			err = fmt.Errorf("event %d: header %s: %w", sequence, name, decodeErr)
		}
		return strings.Clone(value) // a copy: a substring would keep the whole message in memory while it is cached
	}
	timestamp := func(name string) time.Time {
		value := h.Get(name)
		if value == "" {
			return time.Time{}
		}
		t, decodeErr := time.Parse(time.RFC3339Nano, value)
		if decodeErr != nil && err == nil {
			err = fmt.Errorf("event %d: header %s: %w", sequence, name, decodeErr)
		}
		return t
	}
	f.State, f.Provisioning, f.Life, f.Delivery = text(HeaderState), text(HeaderProvisioning), text(HeaderLife), text(HeaderDelivery)
	f.At, f.Modified = timestamp(HeaderTime), timestamp(HeaderModified)
	f.SeenAfter, f.SeenBefore = timestamp(HeaderSeenAfter), timestamp(HeaderSeenBefore)
	f.Recorded, f.Via = timestamp(HeaderRecorded), viaOf(h.Get(HeaderVia), f.Delivery)
	f.Stays = lifecycle.Stays(strings.Clone(h.Get(HeaderStays)))
	return f, err
}

// ViaOf returns the source of the event with the given headers.
func ViaOf(h nats.Header) lifecycle.Via { return viaOf(h.Get(HeaderVia), h.Get(HeaderDelivery)) }

// viaOf returns the source of an event by its header; for events of older bridges, which have no such header, by whether
// they have a delivery. The known values are constants, so that no cached fact keeps a message in memory.
func viaOf(header, delivery string) lifecycle.Via {
	switch via := lifecycle.Via(header); {
	case via == lifecycle.Webhook, header == "" && delivery != "":
		return lifecycle.Webhook
	case via == lifecycle.History:
		return lifecycle.History
	}
	return lifecycle.Poll
}

// headerSource is on a message that the server copied from another stream: "<stream> <sequence> …".
const headerSource = "Nats-Stream-Source"

// FactOfState decodes the headers of a message in the state bucket, which the server fills from the event log.
func FactOfState(h nats.Header) (lifecycle.Fact, error) {
	origin := strings.Fields(h.Get(headerSource))
	if len(origin) < 2 {
		return lifecycle.Fact{}, fmt.Errorf("message of the state bucket is not from the event log: header %s is %q", headerSource, h.Get(headerSource))
	}
	sequence, err := strconv.ParseUint(origin[1], 10, 64)
	if err != nil {
		return lifecycle.Fact{}, fmt.Errorf("header %s: %w", headerSource, err)
	}
	return FactOf(h, sequence)
}
