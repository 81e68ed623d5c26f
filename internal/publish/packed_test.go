package publish

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

func TestPackRoundTrip(t *testing.T) {
	instant := rapid.Custom(func(t *rapid.T) time.Time {
		year := rapid.IntRange(1, 9999).Draw(t, "year")
		return time.Date(year, 1, 1, 0, 0, 0, rapid.IntRange(0, 999_999_999).Draw(t, "nanosecond"), time.UTC)
	})
	times := rapid.OneOf(rapid.Just(time.Time{}), instant)
	recorded := rapid.OneOf(rapid.Just(time.Time{}), rapid.Custom(func(t *rapid.T) time.Time {
		return time.UnixMilli(rapid.Int64Range(1, 1<<48).Draw(t, "ms")).UTC()
	}))
	hash := rapid.OneOf(rapid.StringMatching("[0-9a-f]{64}"), rapid.StringMatching("[0-9A-F]{64}"), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		want := head{fact: &lifecycle.Fact{
			Sequence: rapid.Uint64Range(1, 1<<63).Draw(t, "sequence"), Transition: rapid.Uint64().Draw(t, "transition"),
			State: rapid.String().Draw(t, "state"), Provisioning: rapid.String().Draw(t, "provisioning"),
			Life: rapid.String().Draw(t, "life"), Delivery: rapid.String().Draw(t, "delivery"),
			At: times.Draw(t, "at"), Modified: times.Draw(t, "modified"),
			SeenAfter: times.Draw(t, "after"), SeenBefore: times.Draw(t, "before"), Hash: hash.Draw(t, "hash"),
			Recorded: recorded.Draw(t, "recorded"), Via: rapid.SampledFrom(vias[:]).Draw(t, "via"),
			Stays: lifecycle.Stays(rapid.String().Draw(t, "stays")),
		}, expect: rapid.Uint64().Draw(t, "expect"), flappedAt: times.Draw(t, "again")}
		p := pack(want)
		if got := p.head(); !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v became %+v", want.fact, got.fact)
		}
		if p.sequence() != want.fact.Sequence {
			t.Fatalf("sequence %d is not %d", p.sequence(), want.fact.Sequence)
		}
	})
	if (packed("").head() != head{}) || packed("").sequence() != 0 {
		t.Error("the empty packed has a head")
	}
}

// TestCachedHeadSize fills the cache with jobs as MK.IO names them.
func TestCachedHeadSize(t *testing.T) {
	const count, most = 200_000, 400
	k := newHeads(event.NewNames(event.DefaultPrefix))
	before := inHeap()
	for i := range count {
		k.putIfNewer(fmt.Sprintf("job.aurora-vod.ladder-hd.title-%012d-abr", i), head{fact: jobFact(uint64(i + 1)), expect: uint64(i + 1)})
	}
	each := (inHeap() - before) / count
	t.Logf("%d bytes a resource", each)
	if each > most {
		t.Errorf("a resource takes %d bytes, want at most %d", each, most)
	}
	runtime.KeepAlive(&k)
}

func inHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func jobFact(sequence uint64) *lifecycle.Fact {
	at := time.Date(2031, 3, 4, 10, 19, 36, 900102000, time.UTC)
	id := func() string {
		return fmt.Sprintf("%08x-1234-5678-9abc-%012x", rand.Uint32(), rand.Uint64N(1<<48))
	}
	return &lifecycle.Fact{
		Sequence: sequence, Transition: 4, State: "Finished", Life: id(), Delivery: id(), At: at, Modified: at,
		Via: lifecycle.Webhook, Recorded: at.Add(time.Second).Truncate(time.Millisecond),
		Stays: "Queued=12.3&Scheduled=2.10&Processing=301",
		Hash:  fmt.Sprintf("%016x%016x%016x%016x", rand.Uint64(), rand.Uint64(), rand.Uint64(), rand.Uint64()),
	}
}

func BenchmarkPack(b *testing.B) {
	at := head{fact: jobFact(1), expect: 1}
	b.ReportAllocs()
	for b.Loop() {
		if pack(at).head().expect != 1 {
			b.Fatal()
		}
	}
}
