package publish

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// turns lets the observations of one resource pass one by one, in order of arrival, and those of
// different resources side by side.
type turns struct {
	mu     sync.Mutex
	queues map[string][]chan struct{} // of the resources whose turn somebody has: who waits for it, each till its channel is closed
}

// errShut is for who waited when the gate was shut.
var errShut = errors.New("JetStream stopped to answer meanwhile")

// take waits for the resource's turn, or until the gate shuts. Who has it gives it back by leave.
func (t *turns) take(ctx context.Context, resource string, shutting <-chan struct{}) error {
	t.mu.Lock()
	queue, taken := t.queues[resource]
	if !taken {
		t.queues[resource] = nil
		t.mu.Unlock()
		return nil
	}
	mine := make(chan struct{})
	t.queues[resource] = append(queue, mine)
	t.mu.Unlock()

	var err error
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-shutting:
		err = errShut
	}
	t.abandon(resource, mine)
	return err
}

// leave gives the turn to who waits longest.
func (t *turns) leave(resource string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next(resource)
}

// abandon takes somebody out of the queue, who does not wait any longer. A turn that came meanwhile goes to the next.
func (t *turns) abandon(resource string, mine chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	queue := t.queues[resource]
	if i := slices.Index(queue, mine); i >= 0 {
		t.queues[resource] = slices.Delete(queue, i, i+1)
		return
	}
	t.next(resource)
}

// next ends a turn; the caller holds the lock.
func (t *turns) next(resource string) {
	queue := t.queues[resource]
	if len(queue) == 0 {
		delete(t.queues, resource)
		return
	}
	close(queue[0])
	t.queues[resource] = queue[1:]
}
