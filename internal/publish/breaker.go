package publish

import (
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// A breaker is the circuit breaker of one stream: it is open while the stream cannot be written, and then refuses every
// caller at once. A caller that waited for JetStream instead would hold a request, its body and its sender, and learn nothing.
// The first write without an answer trips it, and the callers that wait for the lock of a resource then stop waiting. The
// watchdog (watchdog.go) finds out when JetStream stores again and closes it, whether or not deliveries come.
type breaker struct {
	stream string
	log    *slog.Logger
	wake   chan<- struct{} // rouses the watchdog

	mu      sync.Mutex
	why     error // nil: it is closed
	since   time.Time
	closed  uint64        // how often it was closed again: the number of the current generation
	trips   int           // how often it tripped since a write was last acknowledged
	acked   time.Time     // when a write was last acknowledged
	tripped chan struct{} // closed when it trips
}

func newBreaker(stream string, log *slog.Logger, wake chan<- struct{}) *breaker {
	return &breaker{stream: stream, log: log, wake: wake, tripped: make(chan struct{})}
}

// A generation is the time from one closing of a breaker to the next: a caller shows by it when it was allowed to write.
type generation struct {
	number  uint64
	tripped <-chan struct{} // closed when the breaker trips
}

// allow returns the current generation while the breaker is closed; else also an error that says since when and why it is open.
func (b *breaker) allow() (generation, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := generation{b.closed, b.tripped}
	if b.why != nil {
		return g, fmt.Errorf("since %s: %w", b.since.UTC().Format(time.RFC3339), b.why)
	}
	return g, nil
}

// trip opens the breaker, if the error is JetStream's trouble and not one event's. An error of a caller of an earlier
// generation says nothing about now, and does not trip it.
func (b *breaker) trip(g generation, err error) {
	if !troubled(err) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.why != nil || g.number != b.closed {
		return
	}
	b.why, b.since = err, time.Now()
	b.trips++
	close(b.tripped)
	b.log.Error("JetStream cannot store; deliveries are answered 503 at once, and polling pauses, until it can", "stream", b.stream, "error", err)
	rouse(b.wake)
}

// close lets every caller write again.
func (b *breaker) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.why == nil {
		return
	}
	b.log.Info("JetStream stores again", "stream", b.stream, "after", time.Since(b.since).Round(time.Millisecond))
	b.why, b.tripped = nil, make(chan struct{})
	b.closed++
}

// worked notes that a write was acknowledged.
func (b *breaker) worked() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trips, b.acked = 0, time.Now()
}

// lastAcked is when a write was last acknowledged.
func (b *breaker) lastAcked() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.acked
}

// backoff is how long the watchdog waits before it tries to close the breaker. It grows while the breaker trips again and again
// with no write acknowledged in between.
func (b *breaker) backoff() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.trips < 2 {
		return 0
	}
	return min(time.Second<<min(b.trips-2, 10), maxBackoff)
}

const maxBackoff = 30 * time.Second

// rouse wakes whoever waits on a channel that has room for one token.
func rouse(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default: // a token is there already
	}
}
