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
	// identified says that the project was compared since the answer was there; shared by the rows of one answer, which are
	// shown one after the other. nil: an answer of its own, for which it was not.
	identified *bool
}

// maxTries bounds how often an answer that was overtaken is asked for again. The next sweep asks anyway.
const maxTries = 5

// An entry is what the log has of a resource. It is looked up once for a row: a sweep has many.
type entry struct {
	resource string          // its token
	fact     *lifecycle.Fact // its last event; nil: there is none
}

func (p *project) entryOf(key lifecycle.Key) entry {
	resource := p.Log.Token(key)
	return entry{resource, p.Log.Last(resource)}
}

// deleted says whether the resource is recorded as gone.
func (e entry) deleted() bool {
	return e.fact != nil && lifecycle.SameState(e.fact.State, lifecycle.StateDeleted)
}

// basis is the sequence that a write beside the entry rests on: 0 where nothing is recorded.
func (e entry) basis() *uint64 {
	if e.fact == nil {
		return new(uint64)
	}
	return &e.fact.Sequence
}

// show gives the log what an answer showed of a resource.
func (p *project) show(ctx context.Context, l *list, row mkio.Row, o lifecycle.Observation, a asked) error {
	return p.showBeside(ctx, l, p.entryOf(row.Key), row, o, a)
}

// showBeside is show for a resource whose entry was looked up since the answer was there.
func (p *project) showBeside(ctx context.Context, l *list, e entry, row mkio.Row, o lifecycle.Observation, a asked) error {
	if e.fact != nil && e.fact.Sequence > a.horizon {
		p.overtaken(row.Key)
		return nil
	}
	if err := p.identity.refused(); err != nil {
		return err
	}
	if err := p.recognise(ctx, e, o); err != nil {
		return err
	}
	o.Via, o.Basis = a.via, e.basis()
	o.SeenAfter, o.SeenBefore = p.seenBefore(l, row.Key, e, a.moment), a.moment.To
	o.Stored, o.Clock = a.moment.Stored, a.moment.Clock
	if o.State != lifecycle.StateDeleted && !o.Stored {
		p.patience.shown(row.Key)
	}
	verdict, current := p.Log.Compare(e.resource, o)
	if !current {
		p.overtaken(row.Key)
		return nil
	}
	if !verdict.News() {
		p.metrics.seen(o, verdict)
		switch {
		case verdict.Outcome == lifecycle.Repeat:
			p.shown(e, a.moment)
		case e.deleted():
			p.shownAfterItsEnd(row.Key, e.fact.StaysEnded(a.moment.To))
		}
		a.tally.judged(row.Key.Kind, verdict)
		return nil
	}
	if ends(e, o, verdict) {
		if may, err := p.mayEnd(ctx, a); !may {
			return err
		}
	}
	if o.State == lifecycle.StateDeleted {
		o.Source, o.Subject, _ = mkio.Path(row.Key) // its record says nothing of its end
	} else {
		o.Discovered = e.fact == nil && p.first.before(row.Key.Kind, o.Created)
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
func (p *project) seenBefore(l *list, key lifecycle.Key, e entry, now mkio.Moment) time.Time {
	last := p.lastShown(l, key, e)
	if last.After(now.From) {
		return time.Time{} // the clocks are too coarse to tell
	}
	return last
}

// lastShown is seenBefore without an answer to hold it against. What waits was not on the last sweeps of its list.
func (p *project) lastShown(l *list, key lifecycle.Key, e entry) time.Time {
	if e.fact == nil {
		return time.Time{}
	}
	if found, waits := p.patience.find(key); waits && found.sequence == e.fact.Sequence {
		return found.shown
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	last := e.fact.SeenBefore
	if m := p.motions[e.resource]; m != nil && m.fact.Sequence == e.fact.Sequence && m.shown.After(last) {
		last = m.shown
	}
	if l != nil && e.fact.Sequence <= l.swept.horizon && l.swept.at.After(last) {
		last = l.swept.at
	}
	return last
}

// shown notes that a resource in motion still is as it was. A stored copy says nothing of now.
func (p *project) shown(e entry, at mkio.Moment) {
	if at.Stored {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.motions[e.resource]; m != nil && m.fact.Sequence == e.fact.Sequence {
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

// shownAfterItsEnd asks again for a resource that is recorded as gone and that MK.IO shows, once that would mean that its life
// goes on. Another request for it may come before.
func (p *project) shownAfterItsEnd(key lifecycle.Key, staysEnded time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.asks[key]; staysEnded > 0 && (a == nil || a.busy || a.patient) {
		p.asks[key] = &ask{via: lifecycle.Poll, next: time.Now().Add(max(staysEnded, p.pace.active)), patient: true}
	}
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
	case current.tries == a.tries && !current.next.After(now): // it was not overtaken again, nor is it shown after its end
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
		e := p.entryOf(key)
		if e.fact != nil && e.fact.Sequence <= a.horizon && lifecycle.SameState(e.fact.State, state) {
			p.shown(e, a.moment)
			return nil // its record would tell nothing
		}
	}
	sight, err := p.Client.Get(ctx, class, key)
	if err != nil {
		return p.absent(l, key, err)
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
	return p.show(ctx, l, sight.Row, o, a)
}

// absent takes a 404 for the hint that it is: a sweep finds out.
func (p *project) absent(l *list, key lifecycle.Key, err error) error {
	if !mkio.IsNotFound(err) || l == nil {
		return err
	}
	if e := p.entryOf(key); e.fact == nil || e.deleted() {
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
