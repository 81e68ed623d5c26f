package poll

import (
	"context"
	"fmt"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// An asked is the circumstances of a request: what was recorded before it, and when MK.IO took its answer.
type asked struct {
	horizon uint64
	moment  mkio.Moment
	via     lifecycle.Via
	tally   *tally // of the sweep that asked; nil: none did
}

// logError is for a log that cannot take an observation now.
type logError struct{ error }

func (e logError) Unwrap() error { return e.error }

// maxTries bounds how often an answer that was overtaken is asked for again. The next sweep asks anyway.
const maxTries = 5

// show gives the log what an answer showed of a resource.
func (p *project) show(ctx context.Context, l *list, row mkio.Row, o lifecycle.Observation, a asked) error {
	fact, known := p.Log.Recorded(row.Key)
	if known && fact.Sequence > a.horizon {
		p.overtaken(row.Key)
		return nil
	}
	o.Via, o.Basis = a.via, &fact.Sequence // 0 where nothing is recorded
	o.SeenAfter, o.SeenBefore = p.seenBefore(l, row.Key, fact, a.moment), a.moment.To
	var recorded *lifecycle.Fact
	if known {
		recorded = &fact
	}
	verdict := lifecycle.Decide(recorded, o)
	if !verdict.News() {
		p.metrics.seen(o, verdict)
		p.shown(row.Key, fact, a.moment)
		a.tally.judged(row.Key.Kind, verdict)
		return nil
	}
	if o.State == lifecycle.StateDeleted {
		o.Source, o.Subject, _ = mkio.Path(row.Key) // its record says nothing of its end
	} else {
		o.Discovered = !known && p.first.before(row.Key.Kind, o.Created)
		row.AddRecord(&o)
	}
	verdict, err := p.Log.Observe(ctx, o)
	if err != nil {
		return logError{err}
	}
	p.metrics.seen(o, verdict)
	if verdict.Outcome == lifecycle.Late { // somebody else recorded what is there, or more, since it was asked for
		p.overtaken(row.Key)
	} else {
		a.tally.judged(row.Key.Kind, verdict)
	}
	if verdict.News() {
		p.noteChange(l)
	}
	return nil
}

// noteChange says that a list had news.
func (p *project) noteChange(l *list) {
	if l == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l.changed = true
}

// seenBefore is the last moment at which MK.IO still showed the recorded state; zero where it is not known.
func (p *project) seenBefore(l *list, key lifecycle.Key, fact lifecycle.Fact, now mkio.Moment) time.Time {
	if fact.Sequence == 0 {
		return time.Time{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	last := fact.SeenBefore
	if m := p.motions[p.Log.Token(key)]; m != nil && m.fact.Sequence == fact.Sequence && m.shown.After(last) {
		last = m.shown
	}
	if l != nil && fact.Sequence <= l.swept.horizon && l.swept.at.After(last) {
		last = l.swept.at
	}
	if last.After(now.From) {
		return time.Time{} // the clocks are too coarse to tell
	}
	return last
}

// shown notes that a resource in motion still is as it was.
func (p *project) shown(key lifecycle.Key, fact lifecycle.Fact, at mkio.Moment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.motions[p.Log.Token(key)]; m != nil && m.fact.Sequence == fact.Sequence {
		m.shown = at.From
	}
}

// overtaken asks again for a resource of which something was recorded while MK.IO was asked, or of
// which MK.IO showed an old record.
func (p *project) overtaken(key lifecycle.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.asks[key]
	if a == nil {
		a = &ask{via: lifecycle.Poll}
		p.asks[key] = a
	}
	if a.tries++; a.tries > maxTries {
		delete(p.asks, key)
		return
	}
	a.next = time.Now().Add(p.pace.active << (a.tries - 1))
}

// answer does what was asked for.
func (p *project) answer(ctx context.Context, key lifecycle.Key, a ask) {
	p.mu.Lock()
	l := p.listOf(key)
	p.mu.Unlock()
	err := p.tracedVisit(ctx, l, key, a.via)
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.rouse()
	current := p.asks[key]
	if current == nil {
		return
	}
	current.busy = false
	switch {
	case err != nil && ctx.Err() == nil:
		p.metrics.failed(p.name, "resource", err)
		wait := retryAfter(current.tries + 1)
		if current.tries++; current.tries > maxTries {
			p.log.Warn("a resource cannot be asked for; the next sweep shows it", "resource", p.Log.Token(key), "error", err)
			delete(p.asks, key)
			return
		}
		current.next = now.Add(wait)
		p.silent(err, now, wait)
	case current.tries == a.tries: // it was not overtaken again
		delete(p.asks, key)
	}
}

// visit asks for one resource by its own address.
func (p *project) visit(ctx context.Context, l *list, key lifecycle.Key, via lifecycle.Via, class mkio.Class) error {
	a := asked{horizon: p.Log.Horizon(), via: via}
	var state string
	stateless := l != nil && l.Stateless()
	if stateless {
		var err error
		state, a.moment, err = p.Client.State(ctx, class, key)
		if err != nil {
			return p.absent(l, key, err)
		}
		fact, known := p.Log.Recorded(key)
		if known && fact.Sequence <= a.horizon && lifecycle.SameState(fact.State, state) {
			p.shown(key, fact, a.moment)
			return nil // its record would tell nothing
		}
	}
	sight, err := p.Client.Get(ctx, class, key)
	if err != nil {
		return p.absent(l, key, err)
	}
	o := sight.Observation()
	if stateless {
		o.State = state
	} else {
		a.moment = sight.Moment
		if !sight.Shows {
			return fmt.Errorf("the record of %s shows no state", key)
		}
	}
	return p.show(ctx, l, sight.Row, o, a)
}

// absent takes a 404 for the hint that it is: a sweep finds out.
func (p *project) absent(l *list, key lifecycle.Key, err error) error {
	if !mkio.IsNotFound(err) || l == nil {
		return err
	}
	if fact, known := p.Log.Recorded(key); !known || lifecycle.SameState(fact.State, lifecycle.StateDeleted) {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	at := time.Now()
	if again := l.swept.local.Add(p.pace.respite(p.count(l))); again.After(at) {
		at = again
	}
	l.soon(sweeping, at)
	return nil
}
