package publish

import (
	"context"
	"errors"
	"sync"
)

// turns lets the observations of one resource pass one by one, in order of arrival, and those of
// different resources side by side.
type turns struct {
	mu     sync.Mutex
	queues map[string]*queue // the resources in hand or waited for
}

type queue struct {
	turn    chan struct{} // holds one token while nobody has the turn
	waiting int           // who has the turn or waits for it; guarded by turns.mu
}

// errShut is for who waited when the gate was shut.
var errShut = errors.New("JetStream stopped to answer meanwhile")

// take waits for the resource's turn, or until the gate shuts; the caller gives it back by calling leave.
func (t *turns) take(ctx context.Context, resource string, shutting <-chan struct{}) (leave func(), err error) {
	t.mu.Lock()
	q := t.queues[resource]
	if q == nil {
		q = &queue{turn: make(chan struct{}, 1)}
		q.turn <- struct{}{}
		t.queues[resource] = q
	}
	q.waiting++
	t.mu.Unlock()

	select {
	case <-q.turn:
		return func() { q.turn <- struct{}{}; t.drop(resource, q) }, nil
	case <-ctx.Done():
		t.drop(resource, q)
		return nil, ctx.Err()
	case <-shutting:
		t.drop(resource, q)
		return nil, errShut
	}
}

func (t *turns) drop(resource string, q *queue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if q.waiting--; q.waiting == 0 {
		delete(t.queues, resource)
	}
}
