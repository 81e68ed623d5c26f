package event_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/schematest"
)

func encoder() event.Encoder {
	return event.Encoder{Names: names, BaseURL: "https://app.mk.io", MaxPayload: 1 << 20}
}

func observation(t testing.TB) lifecycle.Observation {
	t.Helper()
	previous := "Processing"
	return lifecycle.Observation{
		Key:              key(t, lifecycle.Job, "aurora-vod", "ladder-hd", "ep-0417"),
		State:            "Finished",
		Life:             "d15760bb-b323-501d-a685-3af1c869481c",
		At:               time.Date(2031, 3, 4, 10, 19, 36, 900102000, time.UTC),
		Modified:         time.Date(2031, 3, 4, 10, 19, 36, 395374000, time.UTC),
		Via:              lifecycle.Webhook,
		Delivery:         &lifecycle.Delivery{ID: "d-1 é", Type: "MediaKind.JobFinished", Received: time.Now()},
		ReportedPrevious: &previous,
		Source:           "/api/v1/projects/aurora-vod/media/transforms/ladder-hd/jobs/ep-0417",
		Subject:          "transforms/ladder-hd/jobs/ep-0417",
		Problems:         []lifecycle.Problem{{Code: "ServiceError", Message: "it <failed>", Category: "Service", Retry: "MayRetry", Output: "video"}},
		Correlation:      json.RawMessage(`{"houseId":"LH-0417"}`),
		Resource:         json.RawMessage(`{"name":"ep-0417","progress":100.0}`),
	}
}

func TestEncode(t *testing.T) {
	o := observation(t)
	recorded := time.Date(2031, 3, 4, 10, 19, 37, 1_000_000, time.UTC)
	before := lifecycle.Fact{Sequence: 4711, Transition: 2, State: "Processing", Hash: strings.Repeat("ab", 32)}
	m, err := encode(encoder(), o, &before, recorded)
	if err != nil {
		t.Fatal(err)
	}
	schematest.Event(t, m.Payload)
	schematest.EventHeaders(t, m.Header)
	if m.Subject != "mkio.job.aurora-vod.ladder-hd.ep-0417.finished" {
		t.Errorf("subject %s", m.Subject)
	}
	if got := m.Header.Get("Content-Type"); got != "application/cloudevents+json" {
		t.Errorf("content type %q", got)
	}
	for name := range m.Header {
		if strings.HasPrefix(strings.ToLower(name), "ce-") {
			t.Errorf("header %s would make readers take the event for binary mode", name)
		}
	}
	var sdk cloudevents.Event
	if err := json.Unmarshal(m.Payload, &sdk); err != nil || sdk.Validate() != nil {
		t.Fatalf("the CloudEvents SDK cannot decode the event: %v %v", err, sdk.Validate())
	}
	e, err := event.Decode(m.Payload)
	if err != nil {
		t.Fatal(err)
	}
	d := e.Data
	if e.Type() != "mkio.job.state.changed" || e.Subject() != o.Subject || e.Source() != "https://app.mk.io"+o.Source ||
		!e.Time().Equal(o.At) || e.PartitionKey != "job.aurora-vod.ladder-hd.ep-0417" || !e.RecordedTime.Equal(recorded) {
		t.Errorf("attributes %+v", e)
	}
	if d.Transition != 3 || *d.PreviousState != "Processing" || d.PreviousHash != before.Hash || d.PreviousPhase != lifecycle.Transitional ||
		d.Phase != lifecycle.Succeeded || d.Evidence.PreviousSequence != 4711 || d.Evidence.TimeFrom != "mkio" ||
		*d.ReportedPreviousState != "Processing" || d.Delivery.ID != "d-1 é" || d.Errors[0].Message != "it <failed>" {
		t.Errorf("data %+v", d)
	}
	if string(d.Resource) != string(o.Resource) {
		t.Errorf("resource %s", d.Resource)
	}
}

// A trace changes neither the content of an event nor its size limit.
func TestEncodeWithTrace(t *testing.T) {
	untraced, err := encode(encoder(), observation(t), nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	enc := encoder()
	enc.Origin = event.Trace{Parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", State: "rojo=" + strings.Repeat("<", 200)}
	enc.Span = event.Trace{Parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-00", State: "rojo=1"}
	m, err := encode(enc, observation(t), nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	schematest.Event(t, m.Payload)
	schematest.EventHeaders(t, m.Header)
	var plain event.Event
	if err := json.Unmarshal(untraced.Payload, &plain); err != nil {
		t.Fatal(err)
	}
	e, err := event.Decode(m.Payload)
	if err != nil {
		t.Fatal(err)
	}
	if e.ID() != plain.ID() || e.ID() != m.ID || m.Subject != untraced.Subject {
		t.Errorf("id %s on %s, without a trace %s on %s", e.ID(), m.Subject, plain.ID(), untraced.Subject)
	}
	if e.Origin != enc.Origin {
		t.Errorf("the trace began at %v, want %v", e.Origin, enc.Origin)
	}
	if is := (event.Trace{Parent: m.Header.Get("traceparent"), State: m.Header.Get("tracestate")}); is != enc.Span {
		t.Errorf("published in span %v, want %v", is, enc.Span)
	}

	large := observation(t)
	large.Resource = json.RawMessage(`"` + strings.Repeat("x", 1000) + `"`)
	enc.Span = event.Trace{}
	for enc.MaxPayload = 1; ; enc.MaxPayload++ { // the smallest limit with which nothing is omitted
		if m, err := encode(enc, large, nil, time.Now()); err == nil && !strings.Contains(string(m.Payload), "resourceOmitted") {
			break
		}
	}
	enc.Span = event.Trace{Parent: enc.Origin.Parent}
	if m, err = encode(enc, large, nil, time.Now()); err != nil || !strings.Contains(string(m.Payload), "resourceOmitted") {
		t.Errorf("with one more header nothing is omitted, %v", err)
	}
}

func TestSameTransitionHasTheSameID(t *testing.T) {
	o := observation(t)
	id := func(o lifecycle.Observation, before *lifecycle.Fact) string {
		m, err := encode(encoder(), o, before, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		schematest.Event(t, m.Payload)
		schematest.EventHeaders(t, m.Header)
		e, err := event.Decode(m.Payload)
		if err != nil {
			t.Fatal(err)
		}
		return e.ID()
	}
	first := id(o, nil)
	other := o
	other.Delivery = &lifecycle.Delivery{ID: "another", Type: "MediaKind.JobFinished", Received: time.Now()}
	if id(other, nil) != first {
		t.Error("the id depends on the delivery")
	}
	if id(o, &lifecycle.Fact{Transition: 1, State: "Processing", Hash: strings.Repeat("ab", 32), Sequence: 1}) == first {
		t.Error("two transitions share an id")
	}
	other = o
	other.State = "Error"
	if id(other, nil) == first {
		t.Error("two states share an id")
	}
}

func TestFactOfHeaders(t *testing.T) {
	o := observation(t)
	o.State, o.Provisioning, o.Life = "Wär=\r\n%", "Failed", "li fe"
	o.SeenAfter, o.SeenBefore = o.At.Add(-time.Minute), o.At.Add(time.Minute)
	m, err := encode(encoder(), o, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	schematest.EventHeaders(t, m.Header)
	got, err := event.FactOf(m.Header, 42)
	if err != nil {
		t.Fatal(err)
	}
	want := m.Fact
	want.Sequence = 42
	if got != want {
		t.Errorf("the headers decode to %+v, want %+v", got, want)
	}
	if got.Hash != event.Hash(m.Payload) {
		t.Error("the hash is not the payload's")
	}
	for name, values := range m.Header {
		for _, c := range []byte(values[0]) {
			if c < ' ' || c > '~' {
				t.Errorf("header %s holds %q", name, values[0])
			}
		}
	}
}

func TestTimeWithoutMKIOTime(t *testing.T) {
	tests := []struct {
		name   string
		change func(*lifecycle.Observation)
		from   string
	}{
		{"time of the change", func(*lifecycle.Observation) {}, "mkio"},
		{"time of the record", func(o *lifecycle.Observation) { o.At = time.Time{} }, "mkio"},
		{"time of the delivery", func(o *lifecycle.Observation) { o.At, o.Modified = time.Time{}, time.Time{} }, "observed"},
	}
	for _, tt := range tests {
		o := observation(t)
		tt.change(&o)
		m, err := encode(encoder(), o, nil, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		schematest.Event(t, m.Payload)
		schematest.EventHeaders(t, m.Header)
		e, err := event.Decode(m.Payload)
		if err != nil || e.Data.Evidence.TimeFrom != tt.from || e.Time().IsZero() {
			t.Errorf("%s: time %s from %s, %v", tt.name, e.Time(), e.Data.Evidence.TimeFrom, err)
		}
	}
}

func TestLargeEventIsReduced(t *testing.T) {
	enc := encoder()
	enc.MaxPayload = 4 << 10
	o := observation(t)
	o.Resource = json.RawMessage(`{"blob":"` + strings.Repeat("x", 8<<10) + `"}`)
	m, err := encode(enc, o, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	schematest.Event(t, m.Payload)
	schematest.EventHeaders(t, m.Header)
	e, _ := event.Decode(m.Payload)
	if e.Data.Resource != nil || !strings.Contains(e.Data.ResourceOmitted, "over the 4096") || e.Data.CorrelationData == nil {
		t.Errorf("resource %s, omitted %q, correlation %s", e.Data.Resource, e.Data.ResourceOmitted, e.Data.CorrelationData)
	}
	o.Correlation = o.Resource
	m, err = encode(enc, o, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	schematest.Event(t, m.Payload)
	schematest.EventHeaders(t, m.Header)
	if e, _ = event.Decode(m.Payload); e.Data.CorrelationData != nil {
		t.Error("correlation data is not omitted though the event is too large")
	}
	enc.MaxPayload = 100
	if _, err := encode(enc, o, nil, time.Now()); err == nil {
		t.Error("an event over the payload limit was encoded")
	}
}

func TestFactOfRefusesForeignMessages(t *testing.T) {
	if f, err := event.FactOf(nil, 1); err == nil {
		t.Errorf("a message without headers is the fact %+v", f)
	}
}

// encode returns a new message.
func encode(enc event.Encoder, o lifecycle.Observation, previous *lifecycle.Fact, recorded time.Time) (m event.Message, err error) {
	err = enc.Encode(&m, o, previous, recorded)
	return m, err
}

// Older bridges wrote no header with the source.
func TestSourceOfAnEvent(t *testing.T) {
	for _, tt := range []struct {
		header nats.Header
		want   lifecycle.Via
	}{
		{nats.Header{"Mkio-Via": {"history"}}, lifecycle.History},
		{nats.Header{"Mkio-Via": {"poll"}}, lifecycle.Poll},
		{nats.Header{"Mkio-Via": {"webhook"}}, lifecycle.Webhook},
		{nats.Header{"Mkio-Delivery-Id": {"1"}}, lifecycle.Webhook},
		{nats.Header{}, lifecycle.Poll},
	} {
		if got := event.ViaOf(tt.header); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.header, got, tt.want)
		}
	}
}
