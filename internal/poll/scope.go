package poll

import (
	"context"
	"log/slog"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/tracing"
)

// A scope is what all parts of a project share: the project's name, the client, the log, and the pace. Nothing in it changes.
type scope struct {
	name      string
	kinds     []lifecycle.Kind // that are polled
	intervals intervals
	client    *mkio.Client
	eventLog  Log
	heads     Heads
	inventory Inventory
	log       *slog.Logger
	tracer    tracing.Tracer
	metrics   *metrics
	advice    func(error) string
	wake      chan struct{} // holds one token when the scheduler has something new to look at
}

func newScope(p *Poller, name string) *scope {
	return &scope{
		name: name, kinds: p.Kinds, intervals: intervals{p.Active, p.Sweep, p.Full, p.Client.PerMinute()},
		client: p.Client, eventLog: p.Log, heads: p.Heads, inventory: p.Inventory,
		log: p.Logger.With("project", name), tracer: p.Tracer, metrics: p.metrics, advice: p.advice,
		wake: make(chan struct{}, 1),
	}
}

// rouse has the scheduler look again.
func (s *scope) wakeScheduler() {
	select {
	case s.wake <- struct{}{}:
	default: // it will
	}
}

// headOf looks up the head of a resource in the log's cache.
func (s *scope) headOf(key lifecycle.Key) head { return s.headOfToken(s.heads.Token(key)) }

func (s *scope) headOfToken(resource string) head { return head{resource, s.heads.Last(resource)} }

// keyOf is bounded in time: it may have to read the log.
func (s *scope) keyOf(resource string) (lifecycle.Key, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.intervals.active)
	defer cancel()
	return s.heads.KeyOf(ctx, resource)
}

// count is how many resources a list is known to have.
func (s *scope) count(l *list) int {
	n := 0
	for _, kind := range l.Kinds {
		n += s.inventory.Count(kind, s.name)
	}
	return n
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
