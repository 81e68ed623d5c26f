package publish

import (
	"context"
	"errors"
	"fmt"

	"mkio-bridge/internal/lifecycle"
)

// decideCached decides by the cached head of a resource where the cache is enough, and by the stream where it is not. It
// returns the head that the verdict is based on.
//
// News may be based on the cache, because the stream refuses a write behind a wrong head. There is one exception: a log that may
// lack older events (mayTrim) does not refuse a second first event, so the state bucket is read for one. That a webhook
// becomes no event must not be based on the cache, because MK.IO would not deliver it again. For a poll (it has a Basis) it may:
// the cache follows the log, and the next poll observes the same again.
func (p *Publisher) decideCached(ctx context.Context, resource string, o lifecycle.Observation, cached head) (lifecycle.Verdict, head, error) {
	if cached.fact == nil && p.follower.mayTrim.Load() {
		return p.decideFresh(ctx, resource, o, nil)
	}
	if verdict := cached.decide(o); verdict.News() || o.Basis != nil {
		return p.refine(ctx, resource, o, cached, verdict)
	}
	at, err := p.confirm(ctx, resource, cached)
	if err != nil {
		return lifecycle.Verdict{}, at, err
	}
	return p.refine(ctx, resource, o, at, at.decide(o))
}

// decideFresh decides by the head that the stream has now. failed is the error of the write before, nil where there was
// none or it succeeded.
func (p *Publisher) decideFresh(ctx context.Context, resource string, o lifecycle.Observation, failed error) (lifecycle.Verdict, head, error) {
	at, err := p.readHead(ctx, resource)
	if err != nil {
		return lifecycle.Verdict{}, at, errors.Join(failed, err)
	}
	return p.refine(ctx, resource, o, at, at.decide(o))
}

// refine corrects a verdict that the head alone does not decide. An observation that a former event already recorded is a
// duplicate. An observation that no evidence orders is taken in order of arrival, if the resource cannot be rechecked.
func (p *Publisher) refine(ctx context.Context, resource string, o lifecycle.Observation, at head, verdict lifecycle.Verdict) (lifecycle.Verdict, head, error) {
	if verdict.MayBeRecorded(at.fact, o) {
		limit := maxSearchUnapplied
		if verdict.News() {
			limit = maxSearchNews
		}
		recorded, err := p.reader.alreadyRecorded(ctx, resource, at.expect, limit, o)
		if err != nil {
			return verdict, at, err
		}
		if recorded {
			return lifecycle.Verdict{Outcome: lifecycle.Repeat, Why: "an earlier event recorded it"}, at, nil
		}
	}
	// A channel instance has no URL to recheck. A retried delivery arrived long ago, so its order of arrival says nothing.
	if !o.Retried && (p.byArrival || o.Key.Kind == lifecycle.ChannelInstance) {
		verdict = verdict.ByArrival()
	}
	return verdict, at, nil
}

// confirm returns the current head of a resource, given the cached one. It avoids a read where possible, because reads share
// the queue of JetStream's API with all clients. Instead it sends a write that the stream must refuse: the refusal contains
// the sequence of the resource's last event. The head is read only if that differs from the cached sequence.
func (p *Publisher) confirm(ctx context.Context, resource string, at head) (head, error) {
	if at.fact == nil || at.expect == 0 {
		return p.readHead(ctx, resource)
	}
	last, err := p.reader.lastSequence(ctx, resource)
	if err != nil {
		return at, err
	}
	if last != at.expect {
		return p.readHead(ctx, resource)
	}
	return at, nil
}

// readHead reads the head of a resource from the stream, and corrects the cache.
func (p *Publisher) readHead(ctx context.Context, resource string) (head, error) {
	cached := p.heads.sequence(resource)
	at, err := p.reader.last(ctx, resource)
	if err != nil {
		return head{}, err
	}
	if at.fact != nil && at.expect == 0 && !p.follower.mayTrim.Load() {
		// The event cannot have aged out, and no event may be written behind one that the log does not have.
		return head{}, storeError{fmt.Errorf("%s has event %d of %s and the log, which has no limit, does not: the log was replaced or lost the event", p.names.StateStream(), at.fact.Sequence, resource)}
	}
	if at.fact == nil {
		p.heads.remove(resource, cached)
		return at, nil
	}
	p.heads.put(resource, at)
	if current := p.heads.get(resource); current.fact != nil && current.fact.Sequence == at.fact.Sequence {
		at.flappedAt = current.flappedAt // the log does not have it
	}
	return at, nil
}
