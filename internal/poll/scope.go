package poll

import (
	"context"
	"log/slog"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/tracing"
)

// A scope is what all parts of a project share. Nothing in it changes.
type scope struct {
	name      string
	kinds     []lifecycle.Kind // that are polled
	intervals intervals
	client    *mkio.Client
	eventLog  Log
	heads     Heads
	inventory Inventory
	progress  ProgressStore // nil: none
	log       *slog.Logger
	tracer    tracing.Tracer
	metrics   *metrics
	standing  *standing
	advice    func(error) string
	wake      chan struct{} // holds one token while the scheduler has something new to start
}

func newScope(p *Poller, name string) *scope {
	return &scope{
		name: name, kinds: p.Kinds, intervals: intervals{p.Active, p.Sweep, p.Full, p.Client.PerMinute()},
		client: p.Client, eventLog: p.Log, heads: p.Heads, inventory: p.Inventory, progress: p.Progress,
		log: p.Logger.With("project", name), tracer: p.Tracer, metrics: p.metrics, standing: newStanding(p, name), advice: p.advice,
		wake: make(chan struct{}, 1),
	}
}

// wakeScheduler has the scheduler start what is due now, without waiting for its timer.
func (s *scope) wakeScheduler() {
	select {
	case s.wake <- struct{}{}:
	default: // a token is waiting already
	}
}

// headOf returns the head of a resource, from the log's cache.
func (s *scope) headOf(key lifecycle.Key) head { return s.headOfToken(s.heads.Token(key)) }

func (s *scope) headOfToken(resource string) head { return head{resource, s.heads.Last(resource)} }

// keyOf returns the resource of a token. It is bounded in time, because it may have to read the log.
func (s *scope) keyOf(resource string) (lifecycle.Key, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.intervals.active)
	defer cancel()
	return s.heads.KeyOf(ctx, resource)
}

// count returns how many resources of a list's kinds live in the project, according to the log.
func (s *scope) count(l *list) int {
	n := 0
	for _, kind := range l.Kinds {
		living, _ := s.inventory.Count(kind, s.name)
		n += living
	}
	return n
}

// sweptWhole reports whether a list is swept in full where others have delta sweeps: it is short, or cannot be filtered by
// change.
func (s *scope) sweptWhole(l *list) bool {
	return fitsOnePage(s.count(l)) || !l.FiltersByChange() || l.hasParent()
}

// hasDeltas reports whether a delta sweep of a list can start.
func (s *scope) hasDeltas(l *list) bool { return !s.sweptWhole(l) && !l.progress.deltaSince().IsZero() }

// bringSweepForward has a full sweep of a list start soon, because single resources suggest that it differs from the log.
func (s *scope) bringSweepForward(l *list) {
	if l.schedule.failing(modeFull) {
		return // its backoff stands
	}
	l.schedule.bringForward(modeFull, latest(time.Now(), l.progress.lastSweep().localBegan.Add(s.intervals.minSweepInterval(s.count(l)))))
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
