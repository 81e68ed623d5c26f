package publish_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"mkio-bridge/internal/durations"
	"mkio-bridge/internal/lifecycle"
)

// A bridge that starts has the same durations as one that has written or followed all events, and finds the same resources
// stuck, without a scan of the log.
func TestDurationsAreReadBackByALoad(t *testing.T) {
	f := setUp(t)
	writer := f.publisher(false, nil)
	for i := range durations.MinSamples {
		job := key(t, lifecycle.Job, "ladder-hd", fmt.Sprint("ep-", i))
		f.want(writer, delivery(job, "Queued", 0), lifecycle.Changed)
		f.want(writer, delivery(job, "Processing", 10), lifecycle.Changed)
		f.want(writer, delivery(job, "Finished", 70+i), lifecycle.Changed)
	}
	slow := delivery(key(t, lifecycle.Job, "ladder-hd", "slow"), "Processing", 0)
	f.want(writer, slow, lifecycle.Changed)

	started := f.publisher(false, nil)
	if err := started.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := started.Durations(), writer.Durations(); len(got) != 2 || !reflect.DeepEqual(got, want) {
		t.Errorf("after a load the durations are %+v, want %+v", got, want)
	}
	usual := started.Usual(lifecycle.Job, "Processing")
	if usual.Samples != durations.MinSamples || usual.P95 < 55*time.Minute || usual.P95 > 75*time.Minute {
		t.Errorf("Processing usually lasts %+v", usual)
	}
	for _, p := range []interface {
		IsStuck(kind lifecycle.Kind, f lifecycle.Fact, now time.Time) bool
	}{writer, started} {
		for after, want := range map[time.Duration]bool{time.Hour: false, 5 * time.Hour: true} {
			if got := p.IsStuck(lifecycle.Job, lifecycle.Fact{State: "Processing", At: slow.At}, slow.At.Add(after)); got != want {
				t.Errorf("stuck after %s: %t", after, got)
			}
		}
	}
	later := slow.At.Add(5 * time.Hour)
	if stuck := started.Stuck(later); len(stuck) != 1 || stuck[0].Resource != started.Token(slow.Key) || !reflect.DeepEqual(stuck, writer.Stuck(later)) {
		t.Errorf("stuck are %+v", stuck)
	}
}
