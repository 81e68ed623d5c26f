package event_test

import (
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// decideAndEncode returns the work for a delivery between decoding its JSON and publishing.
func decideAndEncode(tb testing.TB) func() {
	tb.Helper()
	o, encoder := observation(tb), encoder()
	o.Problems, o.Delivery.ID = nil, "3b0c77aa-7c53-4b0a-9c7e-0f2a3d1e5b66" // a job that finished well
	o.Resource = []byte(`{"name":"` + strings.Repeat("x", 1100) + `"}`)
	before := lifecycle.Fact{Sequence: 4711, Transition: 2, State: "Processing", Hash: strings.Repeat("ab", 32), Life: o.Life, At: o.At.Add(-time.Minute)}
	recorded := time.Now()
	var m event.Message
	return func() {
		if v := lifecycle.Decide(&before, o); v.Outcome != lifecycle.Changed {
			tb.Fatal(v)
		}
		if err := encoder.Encode(&m, o, &before, recorded); err != nil {
			tb.Fatal(err)
		}
	}
}

func BenchmarkDecideAndEncode(b *testing.B) {
	decide := decideAndEncode(b)
	b.ReportAllocs()
	for b.Loop() {
		decide()
	}
}

func TestDecideAndEncodeAllocations(t *testing.T) {
	const limit = 38
	if got := testing.AllocsPerRun(100, decideAndEncode(t)); got > limit {
		t.Errorf("%v allocations, want at most %d", got, limit)
	}
}
