package publish

import (
	"context"
	"fmt"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/pause"
)

// Time limits of one observation. The sender of a webhook waits meanwhile.
const (
	observeTimeout = 8 * time.Second        // for the whole observation
	ackWait        = 3 * time.Second        // for one acknowledgement; a stream that elects a leader drops messages, so a longer wait is in vain
	readWait       = 2 * time.Second        // for one read from the stream
	retryWait      = 10 * time.Millisecond  // before the first retry: a replicated stream may not have the conflicting write yet
	maxWait        = 250 * time.Millisecond // between two retries
)

// Observe makes an observation into the resource's next event, or into none, and returns which as the verdict. Observations
// of one resource are decided one after the other; those of different resources do not wait for each other. It returns
// within observeTimeout, and at once while the circuit breaker is open. Every error wraps [ErrUnavailable].
func (p *Publisher) Observe(ctx context.Context, o lifecycle.Observation) (verdict lifecycle.Verdict, err error) {
	ctx, span := p.tracer.Start(ctx, "observe")
	defer func() { endObserve(span, o, verdict, err) }()
	ctx, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	resource := p.names.Resource(o.Key)
	gen, err := p.watchdog.logBreaker.allow()
	if err != nil {
		p.metrics.failed.Inc()
		return lifecycle.Verdict{}, fmt.Errorf("%w: %s: %w", ErrUnavailable, o.Key, err)
	}
	if err := p.locks.lock(ctx, resource, gen.tripped); err != nil {
		p.metrics.failed.Inc()
		return lifecycle.Verdict{}, fmt.Errorf("%w: %s: wait for the resource's lock: %w", ErrUnavailable, o.Key, err)
	}
	defer p.locks.unlock(resource)
	at := p.heads.get(resource)
	verdict, err = p.record(ctx, resource, o, at)
	if err != nil {
		p.watchdog.logBreaker.trip(gen, err)
		if isReadError(err) {
			signal(p.watchdog.wake) // a failed read says nothing about writes, so the watchdog probes with a write
		}
		p.metrics.failed.Inc()
		return verdict, fmt.Errorf("%w: %s: %w", ErrUnavailable, o.Key, err)
	}
	p.ledger.record(resource, at.fact, o, verdict)
	p.metrics.countOutcome(o, verdict.Outcome)
	p.logObservation(ctx, resource, o, verdict)
	return verdict, nil
}

// record decides an observation, first by the cached head, and commits it if it is news. After a write that failed, or
// that recorded only the end of a former life, it decides again by the head in the stream.
func (p *Publisher) record(ctx context.Context, resource string, o lifecycle.Observation, cached head) (lifecycle.Verdict, error) {
	var tries retries
	var former uint64 // the sequence of the Deleted event that was written to end a former life; 0: none
	verdict, at, err := p.decideCached(ctx, resource, o, cached)
	for err == nil && verdict.News() {
		var stored head
		stored, err = p.commit(ctx, resource, implied(verdict, o, at), at)
		switch {
		case err == nil && verdict.Outcome == lifecycle.Changed:
			return verdict, nil
		case err == nil: // the former life has ended; the observation itself is decided next
			former = stored.fact.Sequence
			if o.Basis != nil {
				o.Basis = &former
			}
			tries = retries{}
		default:
			if err := tries.wait(ctx, err); err != nil {
				return verdict, err
			}
		}
		verdict, at, err = p.decideFresh(ctx, resource, o, err)
		if former > 0 && at.fact != nil && at.fact.Sequence == former {
			verdict = verdict.Following()
		}
	}
	if err == nil && verdict.Outcome == lifecycle.Flap {
		p.heads.flapped(resource, at, o.At)
	}
	return verdict, err
}

// implied returns the observation to write for a verdict: the given one, or before it the end of the former life.
func implied(verdict lifecycle.Verdict, o lifecycle.Observation, at head) lifecycle.Observation {
	if verdict.Outcome == lifecycle.Reborn {
		return lifecycle.Deletion(*at.fact, o)
	}
	return o
}

// retries counts the writes of one observation that failed in a row.
type retries struct {
	pause       time.Duration // before the last retry; 0: none failed yet
	storeFailed bool          // the last one failed with a [storeError], which is retried once
}

// wait waits before a failed write is retried. It returns the error if a retry cannot help.
func (r *retries) wait(ctx context.Context, failed error) error {
	if permanent(failed) || timedOut(failed) || isStoreError(failed) && r.storeFailed {
		return failed
	}
	r.storeFailed = isStoreError(failed)
	if r.pause == 0 {
		r.pause = retryWait
		return nil // most conflicts are settled by reading the new head
	}
	r.pause = min(2*r.pause, maxWait)
	return pause.For(ctx, r.pause)
}
