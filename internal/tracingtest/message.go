package tracingtest

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/schematest"
)

// A Traced is the trace context of a message in the log: Origin fields from its event, Parent and State from its headers.
type Traced struct{ Origin, OriginState, Parent, State string }

// TracedAt reads a message of the log and checks its schemas.
func TracedAt(t testing.TB, js jetstream.JetStream, sequence uint64) Traced {
	t.Helper()
	stream, err := js.Stream(t.Context(), event.NewNames(event.DefaultPrefix).EventStream())
	if err != nil {
		t.Fatal(err)
	}
	m, err := stream.GetMsg(t.Context(), sequence)
	if err != nil {
		t.Fatal(err)
	}
	schematest.Event(t, m.Data)
	schematest.EventHeaders(t, m.Header)
	e, err := event.Decode(m.Data)
	if err != nil {
		t.Fatal(err)
	}
	return Traced{e.Origin.Parent, e.Origin.State, m.Header.Get(event.HeaderTraceParent), m.Header.Get(event.HeaderTraceState)}
}
