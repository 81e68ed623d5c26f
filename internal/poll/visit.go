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
type visitor struct {
	*scope
	reporter *reporter
	motions  *motions
}

// A visit is one question for a resource.
type visit struct {
	key   lifecycle.Key
	class mkio.Class
}

// visit asks for one resource.
func (v *visitor) visit(ctx context.Context, l *list, key lifecycle.Key, via lifecycle.Via, class mkio.Class) error {
	a := request{horizon: v.eventLog.Horizon(), via: via}
	var state string
	stateless := l != nil && l.Stateless()
	if stateless {
		var err error
		state, a.moment, err = v.client.State(ctx, class, key)
		if err != nil {
			return v.absent(l, key, err)
		}
		h := v.headOf(key)
		if h.fact != nil && h.fact.Sequence <= a.horizon && lifecycle.SameState(h.fact.State, state) {
			v.motions.stillAsRecorded(h, a.moment)
			return nil // its record would tell nothing
		}
	}
	sight, err := v.client.Get(ctx, class, key)
	if err != nil {
		return v.absent(l, key, err)
	}
	o := sight.Observation()
	if stateless {
		o.State, a.moment = state, mkio.Together(sight.Moment, a.moment)
	} else {
		a.moment = sight.Moment
		if !sight.Shows {
			return fmt.Errorf("the record of %s shows no state", key)
		}
	}
	return v.reporter.show(ctx, l, sight.Row, o, a)
}

// traced visits a resource for a recheck, in a trace of its own.
func (v *visitor) traced(ctx context.Context, l *list, key lifecycle.Key, via lifecycle.Via) error {
	ctx, span := v.tracer.Root(ctx, "poll resource")
	err := v.visit(ctx, l, key, via, mkio.Urgent)
	tracing.End(span, err, func() []attribute.KeyValue {
		return []attribute.KeyValue{
			attribute.String("mkio.project", v.name), attribute.String("mkio.kind", string(key.Kind)), attribute.String("mkio.via", string(via)),
		}
	})
	return err
}

// all visits resources side by side. What is wrong with one does not keep it from the others.
func (v *visitor) all(ctx context.Context, l *list, visits []visit) error {
	var trouble troubles
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrent)
	for _, one := range visits {
		group.Go(func() error { return trouble.note(v.visit(ctx, l, one.key, lifecycle.Poll, one.class)) })
	}
	err := group.Wait()
	v.tellTroubles(l, looking, &trouble)
	return err
}

// keys visits resources in the most urgent class.
func (v *visitor) keys(ctx context.Context, l *list, keys []lifecycle.Key) error {
	visits := make([]visit, len(keys))
	for i, key := range keys {
		visits[i] = visit{key, mkio.Urgent}
	}
	return v.all(ctx, l, visits)
}

// absent takes a 404 as a hint only: it brings the next sweep of the list forward, which finds out. It returns other errors.
func (v *visitor) absent(l *list, key lifecycle.Key, err error) error {
	if !mkio.IsNotFound(err) || l == nil {
		return err
	}
	if h := v.headOf(key); h.fact == nil || h.deleted() {
		return nil
	}
	l.schedule.soon(sweeping, later(time.Now(), l.progress.last().local.Add(v.pace.sweepPause(v.count(l)))))
	return nil
}
