package eventlog_test

import (
	"testing"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// A follower does not expect an event that the server sends and the query drops.
func TestSources(t *testing.T) {
	f := setUp(t)
	f.record(lifecycle.Asset, "vod", "Pending", "a") // 1
	f.observe(lifecycle.Poll, "d", "Ready")          // 2
	f.observe(lifecycle.History, "b", "Ready")       // 3
	f.record(lifecycle.Asset, "vod", "Ready", "c")   // 4
	for _, tt := range []struct {
		vias []lifecycle.Via
		want string
	}{
		{nil, "1 2 3 4"},
		{[]lifecycle.Via{lifecycle.Webhook}, "1 4"},
		{[]lifecycle.Via{lifecycle.Poll}, "2"},
		{[]lifecycle.Via{lifecycle.History, lifecycle.Poll}, "2 3"},
	} {
		if got := f.events(eventlog.Query{Vias: tt.vias}); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.vias, got, tt.want)
		}
	}
	for e, err := range f.log.Raw(t.Context(), eventlog.Query{Vias: []lifecycle.Via{lifecycle.Poll}, Follow: true}) {
		if err != nil || e.Sequence != 2 || e.Pending != 0 {
			t.Errorf("event %d, pending %d, %v", e.Sequence, e.Pending, err)
		}
		break
	}
}

// observe records the state of an asset, with a source that has no delivery.
func (f *fixture) observe(via lifecycle.Via, asset, state string) {
	f.t.Helper()
	key, err := lifecycle.NewKey(lifecycle.Asset, "vod", asset)
	if err != nil {
		f.t.Fatal(err)
	}
	f.n++
	v, err := f.publisher.Observe(f.t.Context(), lifecycle.Observation{Key: key, State: state, Via: via, Source: "/x", Subject: "x", SeenBefore: noon.AddDate(0, 0, 1)})
	if err != nil || v.Outcome != lifecycle.Changed {
		f.t.Fatalf("%s: %s, %v", key, v.Outcome, err)
	}
}
