package poll

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"golang.org/x/sync/errgroup"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/tracing"
)

// A fetcher requests single resources by their own addresses, and reports what it gets. It has no state.
type fetcher struct {
	*scope
	reporter *reporter
	motions  *motions
}

// A fetchRequest is a resource to request, and how urgently.
type fetchRequest struct {
	key   lifecycle.Key
	class mkio.Class
}

// fetch requests one resource and reports it. l is its list; nil where that is not known.
func (f *fetcher) fetch(ctx context.Context, l *list, key lifecycle.Key, via lifecycle.Via, class mkio.Class) error {
	req := f.newRequest(via, nil)
	var state string
	stateless := l != nil && l.Stateless()
	if stateless {
		var err error
		state, req.asOf, err = f.client.State(ctx, class, key)
		if err != nil {
			return f.handleNotFound(l, key, err)
		}
		h := f.headOf(key)
		if h.fact != nil && h.fact.Sequence <= req.horizon && lifecycle.SameState(h.fact.State, state) {
			f.motions.seenUnchanged(h, req.asOf)
			return nil // the state has not changed, so the record is not needed
		}
	}
	snapshot, err := f.client.Get(ctx, class, key)
	if err != nil {
		return f.handleNotFound(l, key, err)
	}
	o := snapshot.Observation()
	if stateless {
		o.State, req.asOf = state, mkio.CombinedAsOf(snapshot.AsOf, req.asOf)
	} else {
		req.asOf = snapshot.AsOf
		if !snapshot.HasState {
			return fmt.Errorf("record of %s has no state", key)
		}
	}
	return f.reporter.report(ctx, l, snapshot.Row, o, req)
}

// fetchTraced is fetch for a recheck, in a trace of its own.
func (f *fetcher) fetchTraced(ctx context.Context, l *list, key lifecycle.Key, via lifecycle.Via, class mkio.Class) error {
	ctx, span := f.tracer.Root(ctx, "poll resource")
	err := f.fetch(ctx, l, key, via, class)
	tracing.End(span, err, func() []attribute.KeyValue {
		return []attribute.KeyValue{
			attribute.String("mkio.project", f.name), attribute.String("mkio.kind", string(key.Kind)), attribute.String("mkio.via", string(via)),
		}
	})
	return err
}

// fetchAll fetches resources concurrently. An error of one resource does not stop the others.
func (f *fetcher) fetchAll(ctx context.Context, l *list, requests []fetchRequest) error {
	var errs resourceErrors
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrent)
	for _, r := range requests {
		group.Go(func() error { return errs.tolerate(f.fetch(ctx, l, r.key, lifecycle.Poll, r.class)) })
	}
	err := group.Wait()
	f.logResourceErrors(l, modeActive, &errs)
	return err
}

// fetchKeys fetches resources in the most urgent class.
func (f *fetcher) fetchKeys(ctx context.Context, l *list, keys []lifecycle.Key) error {
	requests := make([]fetchRequest, len(keys))
	for i, key := range keys {
		requests[i] = fetchRequest{key, mkio.Urgent}
	}
	return f.fetchAll(ctx, l, requests)
}

// handleNotFound returns nil for a 404, and any other error as it is. A 404 by itself proves no deletion: it brings the next full
// sweep of the list forward, which confirms it.
func (f *fetcher) handleNotFound(l *list, key lifecycle.Key, err error) error {
	if !mkio.IsNotFound(err) || l == nil {
		return err
	}
	if h := f.headOf(key); h.fact == nil || h.deleted() {
		return nil
	}
	f.bringSweepForward(l)
	return nil
}
