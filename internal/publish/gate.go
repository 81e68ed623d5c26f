package publish

import (
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// A gate is shut while a stream cannot be written. Who comes then is refused at once: to wait for an answer that
// does not come holds a request, its body and its sender, and finds out nothing new. The first write without an
// answer shuts it, and those that wait for their turn behind it leave. The watchdog (watchdog.go) finds out when JetStream
// stores again and opens it, whether or not deliveries come.
type gate struct {
	stream string
	log    *slog.Logger
	wake   chan<- struct{} // rouses the guard

	mu       sync.Mutex
	why      error // nil: it is open
	since    time.Time
	openings uint64
	relapses int           // how often it was shut since a write was last acknowledged
	acked    time.Time     // when that was
	shutting chan struct{} // closed when it shuts
}

func newGate(stream string, log *slog.Logger, wake chan<- struct{}) *gate {
	return &gate{stream: stream, log: log, wake: wake, shutting: make(chan struct{})}
}

// A ticket says which opening of a gate somebody went through.
type ticket struct {
	opening  uint64
	shutting <-chan struct{}
}

// pass lets through while the gate is open; else it says since when and why it is not.
func (g *gate) pass() (ticket, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := ticket{g.openings, g.shutting}
	if g.why != nil {
		return t, fmt.Errorf("since %s: %w", g.since.UTC().Format(time.RFC3339), g.why)
	}
	return t, nil
}

// shut refuses everybody from now on, if the error is JetStream's trouble and not one event's. What went wrong for
// who went through before the gate was last opened says nothing about now.
func (g *gate) shut(t ticket, err error) {
	if !troubled(err) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.why != nil || t.opening != g.openings {
		return
	}
	g.why, g.since = err, time.Now()
	g.relapses++
	close(g.shutting)
	g.log.Error("JetStream cannot store; deliveries are answered 503 at once, and polling pauses, until it can", "stream", g.stream, "error", err)
	rouse(g.wake)
}

// open lets everybody through again.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.why == nil {
		return
	}
	g.log.Info("JetStream stores again", "stream", g.stream, "after", time.Since(g.since).Round(time.Millisecond))
	g.why, g.shutting = nil, make(chan struct{})
	g.openings++
}

// worked notes that a write was acknowledged.
func (g *gate) worked() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.relapses, g.acked = 0, time.Now()
}

// lastAcked is when a write was last acknowledged.
func (g *gate) lastAcked() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.acked
}

// respite is how long the guard waits before it tries to open the gate: where it could be opened and no write
// succeeded all the same, ever longer.
func (g *gate) respite() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.relapses < 2 {
		return 0
	}
	return min(time.Second<<min(g.relapses-2, 10), longestRespite)
}

const longestRespite = 30 * time.Second

// rouse wakes who waits on a channel with room for one token.
func rouse(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default: // it will look
	}
}
