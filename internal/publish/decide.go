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
// News may rest on the cache: a write behind a wrong head is refused. But a log that forgets does not refuse a second first
// event: whether there was one the state bucket tells. And a webhook that becomes no event must not rest on the cache,
// for nobody would deliver it again. A poll may: the cache follows the log, and the next poll shows the same again.
func (p *Publisher) decideCached(ctx context.Context, resource string, o lifecycle.Observation, cached place) (lifecycle.Verdict, place, error) {
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
func (p *Publisher) decideFresh(ctx context.Context, resource string, o lifecycle.Observation, failed error) (lifecycle.Verdict, place, error) {
	at, err := p.look(ctx, resource)
	if err != nil {
		return lifecycle.Verdict{}, at, errors.Join(failed, err)
	}
	return p.refine(ctx, resource, o, at, at.decide(o))
}

// refine looks at what a head alone does not say: what an earlier event tells already is a repeat, and what no evidence
// orders is taken in order of arrival where nobody can be asked.
func (p *Publisher) refine(ctx context.Context, resource string, o lifecycle.Observation, at place, verdict lifecycle.Verdict) (lifecycle.Verdict, place, error) {
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
	// A channel instance has no address to ask. What is retried does not arrive: it came long ago.
	if !o.Retried && (p.byArrival || o.Key.Kind == lifecycle.ChannelInstance) {
		verdict = verdict.ByArrival()
	}
	return verdict, at, nil
}

// confirm returns the head of a resource as it is now, given the cached one. JetStream's API, which reads go through, has a queue that readers can fill; a write that must be refused has
// not, and its refusal says at which sequence the resource's last event is. Only where that is not the one that is
// remembered has it to be read.
func (p *Publisher) confirm(ctx context.Context, resource string, at place) (place, error) {
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

// look reads where the resource stands from the stream, and remembers it.
func (p *Publisher) look(ctx context.Context, resource string) (place, error) {
	asked := p.heads.sequence(resource)
	at, err := p.reader.last(ctx, resource)
	if err != nil {
		return place{}, err
	}
	if at.fact != nil && at.expect == 0 && !p.follower.trims.Load() {
		// It cannot have aged out: nothing may be written behind what the log does not have.
		return place{}, trouble{fmt.Errorf("%s has event %d of %s, and the log, which keeps everything, does not: the log is another one, or has lost it", p.names.StateStream(), at.fact.Sequence, resource)}
	}
	if at.fact == nil {
		p.heads.remove(resource, asked)
		return at, nil
	}
	p.heads.put(resource, at)
	if here := p.heads.get(resource); here.fact != nil && here.fact.Sequence == at.fact.Sequence {
		at.again = here.again // which the stream does not hold
	}
	return at, nil
}
