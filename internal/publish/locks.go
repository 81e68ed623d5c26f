package publish

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// locks has one lock for each resource: observations of one resource are decided one by one, in order of arrival, and those
// of different resources concurrently.
type locks struct {
	mu     sync.Mutex
	queues map[string][]chan struct{} // by locked resource: the waiting callers, each until its channel is closed
}

// errBreakerOpen is the error of a caller that waited for a lock when the circuit breaker opened.
var errBreakerOpen = errors.New("circuit breaker opened")

// lock waits for the lock of a resource, or until the circuit breaker trips. The holder releases the lock with unlock.
func (l *locks) lock(ctx context.Context, resource string, tripped <-chan struct{}) error {
	l.mu.Lock()
	queue, locked := l.queues[resource]
	if !locked {
		l.queues[resource] = nil
		l.mu.Unlock()
		return nil
	}
	mine := make(chan struct{})
	l.queues[resource] = append(queue, mine)
	l.mu.Unlock()

	var err error
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-tripped:
		err = errBreakerOpen
	}
	l.abandon(resource, mine)
	return err
}

// unlock gives the lock to the caller that waits longest.
func (l *locks) unlock(resource string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next(resource)
}

// abandon takes a caller that stops waiting out of the queue. If it got the lock meanwhile, the next caller gets it.
func (l *locks) abandon(resource string, mine chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	queue := l.queues[resource]
	if i := slices.Index(queue, mine); i >= 0 {
		l.queues[resource] = slices.Delete(queue, i, i+1)
		return
	}
	l.next(resource)
}

// next gives the lock of a resource to the next in the queue; the caller holds mu.
func (l *locks) next(resource string) {
	queue := l.queues[resource]
	if len(queue) == 0 {
		delete(l.queues, resource)
		return
	}
	close(queue[0])
	l.queues[resource] = queue[1:]
}
