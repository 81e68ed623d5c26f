package torture

import (
	"fmt"
	"math/rand/v2"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// speed is how much faster MK.IO's clock runs than real time: its retries of a delivery, within ten minutes, then outlast a
// fault of seconds, but not several.
const speed = 20

// A writer writes MK.IO's script, a little ahead of time. Each slot is a resource that goes through its life repeatedly;
// names are reused.
type writer struct {
	rng   *rand.Rand
	slots []*slot
}

// A slot is a resource's name, or a sequence of names, and the time of its next life.
type slot struct {
	kind     lifecycle.Kind
	n        int
	life     int
	nextLife time.Time
	exists   bool // a channel that exists continues
}

// newWriter returns a writer of size slots, most of them jobs.
func newWriter(seed uint64, size int, now time.Time) *writer {
	w := &writer{rng: rand.New(rand.NewPCG(seed, 3))}
	kinds := []lifecycle.Kind{
		lifecycle.Job, lifecycle.Job, lifecycle.Job, lifecycle.Job, lifecycle.LiveChannel, lifecycle.LiveAPIEvent, lifecycle.Job,
		lifecycle.StreamingLocator, lifecycle.Job, lifecycle.Job, lifecycle.StaticMultiviewChannel, lifecycle.LiveEvent,
	}
	for i := range size {
		w.slots = append(w.slots, &slot{kind: kinds[i%len(kinds)], n: i, nextLife: now.Add(w.between(0, time.Minute))})
	}
	return w
}

func (w *writer) between(from, to time.Duration) time.Duration {
	return from + time.Duration(w.rng.Int64N(int64(to-from)))
}

func (w *writer) oneIn(n int) bool { return w.rng.IntN(n) == 0 }

// write returns the steps of all lives that begin before a time.
func (w *writer) write(until time.Time) []mkiofake.Step {
	var steps []mkiofake.Step
	for _, s := range w.slots {
		for s.nextLife.Before(until) {
			steps = append(steps, w.lifeOf(s)...)
		}
	}
	return steps
}

// pauseUntil lets no life begin before a time.
func (w *writer) pauseUntil(until time.Time) {
	for _, s := range w.slots {
		if s.nextLife.Before(until) {
			s.nextLife = until
		}
	}
}

// lifeOf writes one life, or one cycle of a resource that continues.
func (w *writer) lifeOf(s *slot) []mkiofake.Step {
	if !w.oneIn(3) {
		s.life++ // else the name is reused
	}
	switch s.kind {
	case lifecycle.Job:
		return w.job(s)
	case lifecycle.StreamingLocator:
		t := w.thread(s, lifecycle.StreamingLocator, mkiofake.VOD, fmt.Sprintf("loc-%d-%d", s.n, s.life))
		t.do(mkiofake.Create, "Creating").later(w).do(mkiofake.Move, "Created").later(w).later(w).do(mkiofake.Delete, "")
		return t.end(w, s)
	case lifecycle.LiveEvent:
		return w.cycle(s, mkiofake.Live, "Stopped", "Starting", "Running", "Stopping", "Stopped")
	default:
		return w.cycle(s, mkiofake.Live, "Pending", "Allocating", "Allocated", "Starting", "Running", "Stopping", "Stopped")
	}
}

func (w *writer) job(s *slot) []mkiofake.Step {
	t := w.thread(s, lifecycle.Job, mkiofake.VOD, "ladder-hd", fmt.Sprintf("ep-%d-%d", s.n, s.life))
	t.do(mkiofake.Create, "Queued").later(w)
	if !w.oneIn(3) {
		t.do(mkiofake.Move, "Scheduled").later(w)
	}
	if w.oneIn(20) {
		t.do(mkiofake.Move, "Canceled").later(w).do(mkiofake.Delete, "")
		return t.end(w, s)
	}
	t.do(mkiofake.Move, "Processing").later(w)
	t.do(mkiofake.Move, []string{"Finished", "Finished", "Finished", "Error", "Canceled"}[w.rng.IntN(5)]).later(w).later(w)
	t.do(mkiofake.Delete, "")
	return t.end(w, s)
}

// cycle moves a resource through its states once, and sometimes deletes it.
func (w *writer) cycle(s *slot, project, first string, states ...string) []mkiofake.Step {
	t := w.thread(s, s.kind, project, fmt.Sprint("ch-", s.n))
	if !s.exists {
		t.do(mkiofake.Create, first).later(w)
	}
	s.exists = true
	for _, state := range states {
		t.do(mkiofake.Move, state).later(w)
		if state == "Starting" && w.oneIn(6) {
			t.do(mkiofake.Move, "UnableToStart").later(w).do(mkiofake.Move, "Stopping").later(w).do(mkiofake.Move, "Stopped").later(w)
			return t.end(w, s)
		}
	}
	if w.oneIn(8) {
		t.do(mkiofake.Delete, "")
		s.exists = false
	}
	return t.end(w, s)
}

// A thread has the steps of one resource, one after another.
type thread struct {
	key   lifecycle.Key
	at    time.Time
	steps []mkiofake.Step
}

func (w *writer) thread(s *slot, kind lifecycle.Kind, project string, names ...string) *thread {
	key, err := lifecycle.NewKey(kind, project, names...)
	if err != nil {
		panic(err) // cannot fail: names are constants
	}
	return &thread{key: key, at: s.nextLife}
}

func (t *thread) do(a mkiofake.Action, state string) *thread {
	t.steps = append(t.steps, mkiofake.Step{At: t.at, Do: a, Key: t.key, State: state})
	return t
}

func (t *thread) later(w *writer) *thread {
	t.at = t.at.Add(w.between(2*time.Second, 30*time.Second))
	return t
}

func (t *thread) end(w *writer, s *slot) []mkiofake.Step {
	s.nextLife = t.at.Add(w.between(time.Second, 10*time.Second))
	return t.steps
}
