package publish

import (
	"context"
	"fmt"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/pause"
)

// Limits of one observation. A webhook's sender waits meanwhile.
const (
	observeTimeout = 8 * time.Second       // for the whole observation
	ackWait        = 3 * time.Second       // for one acknowledgement; a stream that elects a leader drops what it is sent, so to wait longer is in vain
	readWait       = 2 * time.Second       // for one read from the stream
	retryWait      = 10 * time.Millisecond // until a replicated stream shows the write that won
	maxWait        = 250 * time.Millisecond
)

// Observe makes an observation into the resource's next event, or into none, and returns which as the verdict. Observations
// of one resource are decided one after the other; those of different resources do not wait for each other. It returns
// within observeTimeout, and at once while JetStream is known not to store. Every error wraps [ErrUnavailable].
func (p *Publisher) Observe(ctx context.Context, o lifecycle.Observation) (verdict lifecycle.Verdict, err error) {
	ctx, span := p.tracer.Start(ctx, "observe")
	defer func() { endObserve(span, o, verdict, err) }()
	ctx, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	resource := p.names.Resource(o.Key)
	through, err := p.watchdog.logBreaker.allow()
	if err != nil {
		p.metrics.failed.Inc()
		return lifecycle.Verdict{}, fmt.Errorf("%w: %s: %w", ErrUnavailable, o.Key, err)
	}
	if err := p.locks.lock(ctx, resource, through.tripped); err != nil {
		p.metrics.failed.Inc()
		return lifecycle.Verdict{}, fmt.Errorf("%w: %s: waiting for its turn: %w", ErrUnavailable, o.Key, err)
	}
	defer p.locks.unlock(resource)
	at := p.heads.get(resource)
	verdict, err = p.record(ctx, resource, o, at)
	if err != nil {
		p.watchdog.logBreaker.trip(through, err)
		if readFailed(err) {
			rouse(p.watchdog.wake) // a failed read says nothing about writes: the watchdog probes with one
		}
		p.metrics.failed.Inc()
		return verdict, fmt.Errorf("%w: %s: %w", ErrUnavailable, o.Key, err)
	}
	p.ledger.note(resource, at.fact, o, verdict)
	p.metrics.became(o, verdict.Outcome)
	p.logObservation(ctx, resource, o, verdict)
	return verdict, nil
}

// record decides what becomes of an observation, first by the cached head, and commits news. After a write that failed, or
// that recorded only the end of a former life, it decides again by the head that the stream has then.
func (p *Publisher) record(ctx context.Context, resource string, o lifecycle.Observation, cached head) (lifecycle.Verdict, error) {
	var tries retries
	var former uint64 // the sequence of the Deleted event that this observation implied: the end of a former life; 0: none was written
	verdict, at, err := p.decideCached(ctx, resource, o, cached)
	for err == nil && verdict.News() {
		var stored head
		stored, err = p.commit(ctx, resource, implied(verdict, o, at), at)
		switch {
		case err == nil && verdict.Outcome == lifecycle.Changed:
			return verdict, nil
		case err == nil: // the former life has ended; the observation itself comes behind its end
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

// implied is the event that a verdict asks for: the observation itself, or before it the end of the former life.
func implied(verdict lifecycle.Verdict, o lifecycle.Observation, at head) lifecycle.Observation {
	if verdict.Outcome == lifecycle.Reborn {
		return lifecycle.Deletion(*at.fact, o)
	}
	return o
}

// retries are the writes of one observation that failed in a row.
type retries struct {
	pause   time.Duration // before the next; 0: none failed yet
	trouble bool          // the last failed by JetStream's trouble, and that is tried once again
}

// wait waits before a failed write is tried again. It returns an error if another try cannot help.
func (r *retries) wait(ctx context.Context, failed error) error {
	if permanent(failed) || unanswered(failed) || troubled(failed) && r.trouble {
		return failed
	}
	r.trouble = troubled(failed)
	if r.pause == 0 {
		r.pause = retryWait
		return nil // most conflicts are settled by reading what won
	}
	r.pause = min(2*r.pause, maxWait)
	return pause.For(ctx, r.pause)
}
