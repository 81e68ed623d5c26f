package event

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

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

// AddTo writes it into the headers of a message.
func (t Trace) AddTo(h nats.Header) {
	if t.Parent != "" {
		h[HeaderTraceParent] = []string{t.Parent}
	}
	if t.State != "" {
		h[HeaderTraceState] = []string{t.State}
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

// headerOf writes down a fact; its sequence is given by the stream.
func headerOf(f lifecycle.Fact) nats.Header {
	h := nats.Header{
		HeaderContentType: {ContentType},
		HeaderState:       {url.PathEscape(f.State)},
		HeaderTransition:  {strconv.FormatUint(f.Transition, 10)},
		HeaderHash:        {f.Hash},
	}
	for name, value := range map[string]string{
		HeaderProvisioning: f.Provisioning,
		HeaderLife:         f.Life,
		HeaderDelivery:     f.Delivery,
	} {
		if value != "" {
			h[name] = []string{url.PathEscape(value)}
		}
	}
	for name, t := range map[string]time.Time{
		HeaderTime:       f.At,
		HeaderModified:   f.Modified,
		HeaderSeenAfter:  f.SeenAfter,
		HeaderSeenBefore: f.SeenBefore,
	} {
		if !t.IsZero() {
			h[name] = []string{t.UTC().Format(time.RFC3339Nano)}
		}
	}
	return h
}

// FactOf reads what an event's headers say of it. sequence is the event's place in the log.
func FactOf(h nats.Header, sequence uint64) (lifecycle.Fact, error) {
	f := lifecycle.Fact{Sequence: sequence, Hash: strings.Clone(h.Get(HeaderHash))}
	var err error
	if f.Transition, err = strconv.ParseUint(h.Get(HeaderTransition), 10, 64); err != nil {
		return f, fmt.Errorf("message %d is no event of the bridge: header %s is %q", sequence, HeaderTransition, h.Get(HeaderTransition))
	}
	for name, value := range map[string]*string{
		HeaderState:        &f.State,
		HeaderProvisioning: &f.Provisioning,
		HeaderLife:         &f.Life,
		HeaderDelivery:     &f.Delivery,
	} {
		plain, err := url.PathUnescape(h.Get(name))
		if err != nil {
			return f, fmt.Errorf("event %d: header %s: %w", sequence, name, err)
		}
		*value = strings.Clone(plain)
	}
	for name, t := range map[string]*time.Time{
		HeaderTime:       &f.At,
		HeaderModified:   &f.Modified,
		HeaderSeenAfter:  &f.SeenAfter,
		HeaderSeenBefore: &f.SeenBefore,
	} {
		value := h.Get(name)
		if value == "" {
			continue
		}
		if *t, err = time.Parse(time.RFC3339Nano, value); err != nil {
			return f, fmt.Errorf("event %d: header %s: %w", sequence, name, err)
		}
	}
	return f, nil
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
