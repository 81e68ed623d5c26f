package publish

import (
	"context"
	"errors"
	"fmt"

	"mkio-bridge/internal/lifecycle"
)

// decideCached decides by the cached head of a resource where the cache is enough, and by the stream where it is not. It
// returns the head that the verdict rests on.
//
// News may rest on the cache, because the stream refuses a write behind a wrong head. There is one exception: a log that
// forgets (trims) does not refuse a second first event, so the state bucket is asked whether the resource had one. That a
// webhook becomes no event must not rest on the cache, because nobody would deliver it again. For a poll (it has a Basis) it
// may: the cache follows the log, and the next poll shows the same again.
func (p *Publisher) decideCached(ctx context.Context, resource string, o lifecycle.Observation, cached head) (lifecycle.Verdict, head, error) {
	if cached.fact == nil && p.follower.trims.Load() {
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
	at, err := p.look(ctx, resource)
	if err != nil {
		return lifecycle.Verdict{}, at, errors.Join(failed, err)
	}
	return p.refine(ctx, resource, o, at, at.decide(o))
}

// refine corrects a verdict by what the head alone does not show. An observation that an earlier event already recorded is a
// duplicate. An observation that no evidence orders is taken in order of arrival, if MK.IO cannot be asked.
func (p *Publisher) refine(ctx context.Context, resource string, o lifecycle.Observation, at head, verdict lifecycle.Verdict) (lifecycle.Verdict, head, error) {
	if verdict.MayBeRecorded(at.fact, o) {
		most := maxEarlier
		if verdict.News() {
			most = maxRecent
		}
		told, err := p.reader.tells(ctx, resource, at.expect, most, o)
		if err != nil {
			return verdict, at, err
		}
		if told {
			return lifecycle.Verdict{Outcome: lifecycle.Repeat, Why: "an earlier event tells it"}, at, nil
		}
	}
	// A channel instance has no address to ask. A retried delivery arrived long ago, so its order of arrival says nothing.
	if !o.Retried && (p.byArrival || o.Key.Kind == lifecycle.ChannelInstance) {
		verdict = verdict.ByArrival()
	}
	return verdict, at, nil
}

// confirm returns the head of a resource as it is now, given the cached one. It avoids a read where it can, because reads go
// through the queue of JetStream's API, which readers can fill. Instead it sends a write that the stream must refuse, and the
// refusal has the sequence of the resource's last event. The head is read only if that is not the cached sequence.
func (p *Publisher) confirm(ctx context.Context, resource string, at head) (head, error) {
	if at.fact == nil || at.expect == 0 {
		return p.look(ctx, resource)
	}
	last, err := p.reader.lastSequence(ctx, resource)
	if err != nil {
		return at, err
	}
	if last != at.expect {
		return p.look(ctx, resource)
	}
	return at, nil
}

// look reads the head of a resource from the stream, and corrects the cache by it.
func (p *Publisher) look(ctx context.Context, resource string) (head, error) {
	asked := p.heads.sequence(resource)
	at, err := p.reader.last(ctx, resource)
	if err != nil {
		return head{}, err
	}
	if at.fact != nil && at.expect == 0 && !p.follower.trims.Load() {
		// It cannot have aged out: nothing may be written behind what the log does not have.
		return head{}, trouble{fmt.Errorf("%s has event %d of %s, and the log, which keeps everything, does not: the log is another one, or has lost it", p.names.StateStream(), at.fact.Sequence, resource)}
	}
	if at.fact == nil {
		p.heads.remove(resource, asked)
		return at, nil
	}
	p.heads.put(resource, at)
	if here := p.heads.get(resource); here.fact != nil && here.fact.Sequence == at.fact.Sequence {
		at.flappedAt = here.flappedAt // only the cache has it
	}
	return at, nil
}
