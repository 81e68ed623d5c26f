package publish

import (
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// A breaker is the circuit breaker of one stream: it is open while the stream cannot be written, and then refuses every
// caller at once. A caller that waited for JetStream instead would hold a request, its body and its sender, and learn
// nothing. The first write without a response trips it, and the callers that wait for the lock of a resource then stop
// waiting. The watchdog (watchdog.go) finds out when JetStream stores again and closes it, whether or not deliveries come.
type breaker struct {
	stream string
	log    *slog.Logger
	wake   chan<- struct{} // wakes the watchdog

	mu      sync.Mutex
	cause   error // why it is open; nil: it is closed
	since   time.Time
	current uint64        // number of the current generation: how often it was closed again
	trips   int           // how often it tripped since a write was last acknowledged
	ackedAt time.Time     // when a write was last acknowledged
	tripped chan struct{} // closed when it trips
}

func newBreaker(stream string, log *slog.Logger, wake chan<- struct{}) *breaker {
	return &breaker{stream: stream, log: log, wake: wake, tripped: make(chan struct{})}
}

// A generation is the time from one closing of a breaker to the next. A caller gets the current one with the permission to
// write.
type generation struct {
	number  uint64
	tripped <-chan struct{} // closed when the breaker trips
}

// allow returns the current generation, and while the breaker is open an error that says since when and why.
func (b *breaker) allow() (generation, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := generation{b.current, b.tripped}
	if b.cause != nil {
		return g, fmt.Errorf("since %s: %w", b.since.UTC().Format(time.RFC3339), b.cause)
	}
	return g, nil
}

// trip opens the breaker if the error is a [storeError], so not one of a single event. The error of a caller of a former
// generation does not trip it: the breaker was closed again since.
func (b *breaker) trip(g generation, err error) {
	if !isStoreError(err) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cause != nil || g.number != b.current {
		return
	}
	b.cause, b.since = err, time.Now()
	b.trips++
	close(b.tripped)
	b.log.Error("circuit breaker opened: JetStream cannot store; deliveries are answered 503 and polling pauses", "stream", b.stream, "error", err)
	signal(b.wake)
}

// close lets every caller write again.
func (b *breaker) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cause == nil {
		return
	}
	b.log.Info("circuit breaker closed: JetStream stores again", "stream", b.stream, "after", time.Since(b.since).Round(time.Millisecond))
	b.cause, b.tripped = nil, make(chan struct{})
	b.current++
}

// acknowledged resets the backoff after a write that was acknowledged.
func (b *breaker) acknowledged() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trips, b.ackedAt = 0, time.Now()
}

// lastAcked is when a write was last acknowledged.
func (b *breaker) lastAcked() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ackedAt
}

// backoff is how long the watchdog waits before it tries to close the breaker. It grows while the breaker trips again and
// again with no write acknowledged in between.
func (b *breaker) backoff() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.trips < 2 {
		return 0
	}
	return min(time.Second<<min(b.trips-2, 10), maxBackoff)
}

const maxBackoff = 30 * time.Second

// signal wakes the receiver of a channel with a buffer of one.
func signal(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default: // already signaled
	}
}
