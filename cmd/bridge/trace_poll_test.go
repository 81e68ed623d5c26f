package main

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
	"mkio-bridge/internal/tracingtest"
)

func TestTraceFromAPollToItsEvent(t *testing.T) {
	c := tracingtest.NewCollector(t)
	traces := exportHere(t, c)
	fake := mkiofake.New(mkiofake.Config{Token: demoToken, Projects: []string{mkiofake.VOD}})
	job, err := lifecycle.NewKey(lifecycle.Job, mkiofake.VOD, "ladder-hd", "ep-1")
	if err != nil {
		t.Fatal(err)
	}
	fake.Create(job, "Processing")
	w := newCommandBridge(t, func(conf *config) {
		conf.tracer, conf.transport, conf.Kinds = traces.Tracer(), fake, kinds{lifecycle.Job}
	})
	ctx, stop := context.WithCancel(t.Context())
	polling := make(chan struct{})
	go func() { defer close(polling); w.poll(ctx) }()
	waitForEvents(t, w.js, 1)
	stop()
	<-polling
	is := tracingtest.TracedAt(t, w.js, 1)
	traces.Close()

	published := c.SpansNamed("publish")
	if len(published) != 1 {
		t.Fatalf("published: %v", published)
	}
	observed := spanBehind(t, c, published[0], "observe")
	poll := spanBehind(t, c, observed, "poll full")
	if len(poll.ParentSpanId) > 0 {
		t.Errorf("the poll's span has a parent: %v", poll)
	}
	if want := (tracingtest.Traced{Origin: tracingtest.TraceParent(poll), Parent: tracingtest.TraceParent(published[0])}); is != want {
		t.Errorf("the message has %v, want %v", is, want)
	}
	tracingtest.CheckAttributes(t, poll, map[string]string{"mkio.project": mkiofake.VOD})
	tracingtest.CheckAttributes(t, observed, map[string]string{"mkio.via": "poll"})
}

// spanBehind returns the parent of a span, and checks its name.
func spanBehind(t *testing.T, c *tracingtest.Collector, child *tracepb.Span, name string) *tracepb.Span {
	t.Helper()
	for _, s := range c.SpansNamed(name) {
		if string(s.SpanId) == string(child.ParentSpanId) {
			tracingtest.CheckParent(t, child, s)
			return s
		}
	}
	t.Fatalf("the parent of %s is not %s: %v", child.Name, name, c.Spans())
	return nil
}

// waitForEvents waits until the log has n events.
func waitForEvents(t *testing.T, js jetstream.JetStream, n int) {
	t.Helper()
	consumer, err := js.OrderedConsumer(t.Context(), event.NewNames(event.DefaultPrefix).EventStream(), jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	for range n {
		if _, err := messages.Next(jetstream.NextContext(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
}
