package publish_test

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/publish"
)

func TestVerifyTellsEachStream(t *testing.T) {
	_, js := brokertest.Start(t).Connect()
	streams := publish.Streams{Names: names, Replicas: 1, Create: true}
	for _, s := range publish.Verify(t.Context(), js, streams) {
		if !s.Missing || s.Err == nil {
			t.Errorf("before: %+v", s)
		}
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "MKIO_UNAPPLIED", Subjects: []string{"else.>"}}); err != nil {
		t.Fatal(err)
	}
	if err := publish.Ensure(t.Context(), js, streams); err == nil {
		t.Fatal("a wrong stream was taken")
	}
	for _, s := range publish.Verify(t.Context(), js, streams) {
		switch s.Name {
		case "MKIO_EVENTS", "KV_mkio_state":
			if s.Missing || s.Err != nil {
				t.Errorf("after: %+v", s)
			}
		case "MKIO_UNAPPLIED":
			if s.Missing || s.Err == nil {
				t.Errorf("after: %+v", s)
			}
		default:
			if !s.Missing || s.Err == nil {
				t.Errorf("after: %+v", s)
			}
		}
	}
}

func TestTryPublishWritesNothing(t *testing.T) {
	_, js := brokertest.Start(t).Connect()
	streams := publish.Streams{Names: names, Replicas: 1, Create: true}
	if err := publish.TryPublish(t.Context(), js, streams); err == nil {
		t.Error("there is no log to write to")
	}
	if err := publish.Ensure(t.Context(), js, streams); err != nil {
		t.Fatal(err)
	}
	if err := publish.TryPublish(t.Context(), js, streams); err != nil {
		t.Error(err)
	}
	stream, err := js.Stream(t.Context(), "MKIO_EVENTS")
	if err != nil || stream.CachedInfo().State.LastSeq != 0 {
		t.Errorf("the log was written to: %+v, %v", stream, err)
	}
}
