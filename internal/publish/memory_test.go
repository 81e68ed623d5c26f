package publish_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"mkio-bridge/internal/lifecycle"
)

// What is remembered of a resource is small, however large its events are: there may be a million of them.
func TestPayloadsAreNotRemembered(t *testing.T) {
	defer func(rate int) { runtime.MemProfileRate = rate }(runtime.MemProfileRate)
	runtime.MemProfileRate = 1 // each allocation counts
	f := setUp(t)
	p := f.publisher(false, nil)
	const resources, size = 50, 100 << 10
	for i := range resources {
		o := told(key(t, lifecycle.Job, "ladder-hd", fmt.Sprint("large-", i)), "Queued", 1)
		o.Resource = []byte(`{"note":"` + strings.Repeat("x", size) + `"}`)
		f.want(p, o, lifecycle.Changed)
	}
	if left := inUse(t, "mkio-bridge/internal/event.Encoder."); left > resources*size/10 {
		t.Errorf("of %d bytes of events %d are still in memory", resources*size, left)
	}
	runtime.KeepAlive(p)

	p = f.publisher(false, nil)
	before := inUse(t, "github.com/nats-io/nats%2ego.DecodeHeadersMsg")
	if err := p.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := inUse(t, "github.com/nats-io/nats%2ego.DecodeHeadersMsg") - before; left > resources*100 {
		t.Errorf("of the headers of %d events %d bytes are still in memory", resources, left)
	}
	runtime.KeepAlive(p)
}

// inUse is how many bytes are in use of those that a function, or what it called, took.
func inUse(t *testing.T, function string) (bytes int64) {
	t.Helper()
	runtime.GC()
	runtime.GC() // the profile is of the collection before
	records := make([]runtime.MemProfileRecord, 100_000)
	n, ok := runtime.MemProfile(records, false)
	if !ok {
		t.Fatalf("the profile has %d records", n)
	}
	for _, r := range records[:n] {
		for frames := runtime.CallersFrames(r.Stack()); ; {
			frame, more := frames.Next()
			if strings.HasPrefix(frame.Function, function) {
				bytes += r.InUseBytes()
				break
			}
			if !more {
				break
			}
		}
	}
	return bytes
}
