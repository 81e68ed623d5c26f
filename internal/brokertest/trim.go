package brokertest

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// TrimToLast makes a stream delete all but its last messages, as an age limit would.
func TrimToLast(t testing.TB, js jetstream.JetStream, stream string, messages int64) {
	t.Helper()
	s, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	config := s.CachedInfo().Config
	config.MaxMsgs = messages
	if _, err := js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
}
