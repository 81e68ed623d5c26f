package invariant_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/invariant"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/streams"
)

var (
	names = event.NewNames(event.DefaultPrefix)
	noon  = time.Date(2031, 3, 4, 12, 0, 0, 0, time.UTC)
)

func observation(t *testing.T, state string, minute int) lifecycle.Observation {
	t.Helper()
	key, err := lifecycle.NewKey(lifecycle.LiveChannel, "live", "news")
	if err != nil {
		t.Fatal(err)
	}
	return lifecycle.Observation{
		Key: key, State: state, Life: "life-1", At: noon.Add(time.Duration(minute) * time.Minute), Via: lifecycle.Webhook,
		Delivery: &lifecycle.Delivery{ID: state, Type: "MediaKind.Test", Received: noon}, Source: "/x", Subject: "x",
	}
}

// Proves that the checker finds violations: each row breaks a log of two good events.
func TestCheckFindsEachViolation(t *testing.T) {
	tests := []struct {
		name       string
		spoil      func(before lifecycle.Fact, o *lifecycle.Observation) *lifecycle.Fact // changes the second event, or what it records of the first
		deliveries func([]invariant.Delivered) []invariant.Delivered
		want       string // "": no violation
	}{
		{"nothing", nil, nil, ""},
		{"a gap in the transitions", func(b lifecycle.Fact, _ *lifecycle.Observation) *lifecycle.Fact { b.Transition = 2; return &b }, nil, "I1"},
		{"another state before", func(b lifecycle.Fact, _ *lifecycle.Observation) *lifecycle.Fact { b.State = "Starting"; return &b }, nil, "I1"},
		{"another payload before", func(b lifecycle.Fact, _ *lifecycle.Observation) *lifecycle.Fact {
			b.Hash = strings.Repeat("0", 64)
			return &b
		}, nil, "I1"},
		{"another sequence before", func(b lifecycle.Fact, _ *lifecycle.Observation) *lifecycle.Fact { b.Sequence = 9; return &b }, nil, "I1"},
		{"no event before", func(lifecycle.Fact, *lifecycle.Observation) *lifecycle.Fact { return nil }, nil, "I1"},
		{"the same state twice", func(b lifecycle.Fact, o *lifecycle.Observation) *lifecycle.Fact { o.State = "running"; return &b }, nil, "I1"},
		{"a step back", func(b lifecycle.Fact, o *lifecycle.Observation) *lifecycle.Fact { o.At = noon; return &b }, nil, "I5"},
		{"a state that was not delivered", nil, func(t []invariant.Delivered) []invariant.Delivered { return t[:1] }, "I4"},
		{
			"an end that was not delivered",
			func(b lifecycle.Fact, o *lifecycle.Observation) *lifecycle.Fact { o.State = "Deleted"; return &b },
			func(t []invariant.Delivered) []invariant.Delivered { return t[:1] }, "I4",
		},
		{"response 204, not in the log", nil, func(deliveries []invariant.Delivered) []invariant.Delivered {
			lost := deliveries[1]
			lost.Observation.State = "Starting"
			return append(deliveries, lost)
		}, "I2"},
		{"response 202, not unapplied", nil, func(deliveries []invariant.Delivered) []invariant.Delivered {
			deliveries[0].Status = http.StatusAccepted
			return deliveries
		}, "I2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, js := brokertest.Start(t).Connect()
			if err := streams.Ensure(t.Context(), js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
				t.Fatal(err)
			}
			running, stopped := observation(t, "Running", 1), observation(t, "Stopped", 2)
			first := write(t, js, running, nil)
			before := &first
			if tt.spoil != nil {
				before = tt.spoil(first, &stopped)
			}
			write(t, js, stopped, before)
			deliveries := []invariant.Delivered{{Observation: running, Status: http.StatusNoContent}, {Observation: stopped, Status: http.StatusNoContent}}
			if tt.deliveries != nil {
				deliveries = tt.deliveries(deliveries)
			}
			err := invariant.Check(t.Context(), js, names, deliveries)
			if (tt.want == "") != (err == nil) || err != nil && !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("found %v, want %q", err, tt.want)
			}
		})
	}
}

// write writes an event to the log without a publisher's checks.
func write(t *testing.T, js jetstream.JetStream, o lifecycle.Observation, before *lifecycle.Fact) lifecycle.Fact {
	t.Helper()
	enc := event.Encoder{Names: names, BaseURL: "https://app.mk.io", MaxPayload: 1 << 20}
	var m event.Message
	if err := enc.Encode(&m, o, before, noon); err != nil {
		t.Fatal(err)
	}
	ack, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Payload})
	if err != nil {
		t.Fatal(err)
	}
	m.Fact.Sequence = ack.Sequence
	return m.Fact
}

func TestCheckFindsAnAlteredPayload(t *testing.T) {
	_, js := brokertest.Start(t).Connect()
	if err := streams.Ensure(t.Context(), js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
		t.Fatal(err)
	}
	o := observation(t, "Running", 1)
	var m event.Message
	enc := event.Encoder{Names: names, BaseURL: "https://app.mk.io", MaxPayload: 1 << 20}
	if err := enc.Encode(&m, o, nil, noon); err != nil {
		t.Fatal(err)
	}
	var altered map[string]any
	if err := json.Unmarshal(m.Payload, &altered); err != nil {
		t.Fatal(err)
	}
	altered["recordedtime"] = noon.Add(time.Hour)
	payload, err := json.Marshal(altered)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: m.Subject, Header: m.Header, Data: payload}); err != nil {
		t.Fatal(err)
	}
	if err := invariant.Check(t.Context(), js, names, []invariant.Delivered{{Observation: o}}); err == nil || !strings.Contains(err.Error(), "does not match the hash in the header") {
		t.Errorf("found %v", err)
	}
}
