package poll

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"golang.org/x/sync/errgroup"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/tracing"
)

// A visitor asks for resources by their own addresses. It has no state.
type fetcher struct {
	*scope
	reporter *reporter
	motions  *motions
}

// A visit is one question for a resource.
type fetchRequest struct {
	key   lifecycle.Key
	class mkio.Class
}

// visit asks for one resource.
func (v *fetcher) fetch(ctx context.Context, l *list, key lifecycle.Key, via lifecycle.Via, class mkio.Class) error {
	req := request{horizon: v.eventLog.Horizon(), via: via}
	var state string
	stateless := l != nil && l.Stateless()
	if stateless {
		var err error
		state, req.moment, err = v.client.State(ctx, class, key)
		if err != nil {
			return v.handleNotFound(l, key, err)
		}
		h := v.headOf(key)
		if h.fact != nil && h.fact.Sequence <= req.horizon && lifecycle.SameState(h.fact.State, state) {
			v.motions.seenUnchanged(h, req.moment)
			return nil // its record would tell nothing
		}
	}
	snapshot, err := v.client.Get(ctx, class, key)
	if err != nil {
		return v.handleNotFound(l, key, err)
	}
	o := snapshot.Observation()
	if stateless {
		o.State, req.moment = state, mkio.Together(snapshot.Moment, req.moment)
	} else {
		req.moment = snapshot.Moment
		if !snapshot.Shows {
			return fmt.Errorf("the record of %s shows no state", key)
		}
	}
	return v.reporter.report(ctx, l, snapshot.Row, o, req)
}

// traced visits a resource for a recheck, in a trace of its own.
func (v *fetcher) fetchTraced(ctx context.Context, l *list, key lifecycle.Key, via lifecycle.Via) error {
	ctx, span := v.tracer.Root(ctx, "poll resource")
	err := v.fetch(ctx, l, key, via, mkio.Urgent)
	tracing.End(span, err, func() []attribute.KeyValue {
		return []attribute.KeyValue{
			attribute.String("mkio.project", v.name), attribute.String("mkio.kind", string(key.Kind)), attribute.String("mkio.via", string(via)),
		}
	})
	return err
}

// all visits resources side by side. What is wrong with one does not keep it from the others.
func (v *fetcher) fetchAll(ctx context.Context, l *list, requests []fetchRequest) error {
	var errs resourceErrors
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrent)
	for _, r := range requests {
		group.Go(func() error { return errs.tolerate(v.fetch(ctx, l, r.key, lifecycle.Poll, r.class)) })
	}
	err := group.Wait()
	v.logResourceErrors(l, modeActive, &errs)
	return err
}

// keys visits resources in the most urgent class.
func (v *fetcher) fetchKeys(ctx context.Context, l *list, keys []lifecycle.Key) error {
	requests := make([]fetchRequest, len(keys))
	for i, key := range keys {
		requests[i] = fetchRequest{key, mkio.Urgent}
	}
	return v.fetchAll(ctx, l, requests)
}

// absent takes a 404 as a hint only: it brings the next sweep of the list forward, which finds out. It returns other errors.
func (v *fetcher) handleNotFound(l *list, key lifecycle.Key, err error) error {
	if !mkio.IsNotFound(err) || l == nil {
		return err
	}
	if h := v.headOf(key); h.fact == nil || h.deleted() {
		return nil
	}
	l.schedule.bringForward(modeFull, latest(time.Now(), l.progress.lastSweep().localBegan.Add(v.intervals.minSweepInterval(v.count(l)))))
	return nil
}
