package streams_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/streams"
)

func TestVerifyReportsEachStream(t *testing.T) {
	_, js := brokertest.Start(t).Connect()
	config := streams.Config{Names: names, Replicas: 1, Create: true}
	for _, s := range streams.Verify(t.Context(), js, config) {
		if !s.Missing || s.Err == nil {
			t.Errorf("before: %+v", s)
		}
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "MKIO_UNAPPLIED", Subjects: []string{"else.>"}}); err != nil {
		t.Fatal(err)
	}
	if err := streams.Ensure(t.Context(), js, config); err == nil {
		t.Fatal("an incompatible stream was accepted")
	}
	for _, s := range streams.Verify(t.Context(), js, config) {
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

func TestTryWriteWritesNothing(t *testing.T) {
	_, js := brokertest.Start(t).Connect()
	config := streams.Config{Names: names, Replicas: 1, Create: true}
	if err := streams.TryWrite(t.Context(), js, names.EventStream(), names.Prefix()); err == nil {
		t.Error("a write without a log succeeded")
	}
	if err := streams.Ensure(t.Context(), js, config); err != nil {
		t.Fatal(err)
	}
	if err := streams.TryWrite(t.Context(), js, names.EventStream(), names.Prefix()); err != nil {
		t.Error(err)
	}
	stream, err := js.Stream(t.Context(), "MKIO_EVENTS")
	if err != nil || stream.CachedInfo().State.LastSeq != 0 {
		t.Errorf("the log was written to: %+v, %v", stream, err)
	}
}

// The delete of a retry is tested as well, and deletes nothing; a stream that forbids deletes is an error.
func TestTryWritesChangesNothing(t *testing.T) {
	_, js := brokertest.Start(t).Connect()
	config := streams.Config{Names: names, Replicas: 1, Create: true}
	if err := streams.Ensure(t.Context(), js, config); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), names.UnappliedPrefix()+".malformed.0", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if err := streams.TryWrites(t.Context(), js, config); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]uint64{"MKIO_EVENTS": 0, "MKIO_UNAPPLIED": 1, "MKIO_AUDIT": 0, "KV_mkio_lease": 0} {
		if stream, err := js.Stream(t.Context(), name); err != nil || stream.CachedInfo().State.Msgs != want || stream.CachedInfo().State.LastSeq != want {
			t.Errorf("%s has changed: %+v, %v", name, stream, err)
		}
	}
	stream, err := js.Stream(t.Context(), "MKIO_UNAPPLIED")
	if err != nil {
		t.Fatal(err)
	}
	denied := stream.CachedInfo().Config
	denied.DenyDelete = true
	if _, err := js.UpdateStream(t.Context(), denied); err != nil {
		t.Fatal(err)
	}
	if err := streams.TryWrites(t.Context(), js, config); err == nil || !strings.Contains(err.Error(), "MKIO_UNAPPLIED") {
		t.Errorf("a stream that forbids deletes: %v", err)
	}
}
