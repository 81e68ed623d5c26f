package poll

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// A project is one project while it is polled here. Its loop starts what is due; each errand runs in a
// goroutine of its own, which run waits for.
type project struct {
	*Poller
	name     string
	log      *slog.Logger
	pace     pace
	first    firstSweeps
	coverage coverage
	identity identification
	patience *patience
	outage   outage
	errands  sync.WaitGroup
	wake     chan struct{} // holds one token when the loop has something new to look at

	mu        sync.Mutex
	lists     []*list
	below     map[lifecycle.Key]*list // by parent
	motions   map[string]*motion      // by resource token
	asks      map[lifecycle.Key]*ask
	epoch     uint64                  // of the log that everything was compared with
	looked    uint64                  // the horizon of the log when motions and parents were last looked up
	finishing map[lifecycle.Kind]bool // whose first sweep is being noted as over
	silence   time.Time               // nothing is asked before: the token is refused, or the log cannot write
	refused   time.Time               // when the token was last refused
	succeeded time.Time               // when an errand last had success
	troubled  bool                    // and that was said
	gated     bool                    // nothing is asked while the log says that it cannot be written
}

func newProject(p *Poller, name string) *project {
	project := &project{
		Poller: p, name: name, log: p.Logger.With("project", name),
		pace:      pace{p.Active, p.Sweep, p.Full, p.Client.PerMinute()},
		first:     firstSweeps{notes: p.Notes, project: name, marks: map[lifecycle.Kind]mark{}},
		wake:      make(chan struct{}, 1),
		below:     map[lifecycle.Key]*list{},
		motions:   map[string]*motion{},
		asks:      map[lifecycle.Key]*ask{},
		finishing: map[lifecycle.Kind]bool{},
		coverage:  newCoverage(),
		epoch:     p.Log.Epoch(),
	}
	project.patience = newPatience(p.DeletePatience, project.log, func(kind lifecycle.Kind, n int) { p.metrics.waits(name, kind, n) }, p.Kinds)
	for _, l := range mkio.Lists(name, p.Kinds) {
		project.lists = append(project.lists, &list{List: l})
	}
	return project
}

// run polls until the context ends.
func (p *project) run(ctx context.Context) {
	defer p.errands.Wait()
	p.awaitIdentity(ctx)
	for {
		err := p.first.load(ctx, p.Kinds)
		if err == nil {
			break
		}
		p.log.Warn("what was swept before cannot be read; polling waits for it", "error", err)
		if pause(ctx, p.Sweep) != nil {
			return
		}
	}
	p.loadCoverage(ctx)
	p.errands.Go(func() { p.watchCoverage(ctx) })
	p.errands.Go(func() { p.watchIdentity(ctx) })
	if p.KeepRule != nil {
		p.errands.Go(func() { p.keepRule(ctx) })
	}
	if p.Rule != "" {
		p.errands.Go(func() { p.watchHistory(ctx) })
	}
	for {
		timer := time.NewTimer(time.Until(p.start(ctx)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-p.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// rouse has the loop look again.
func (p *project) rouse() {
	select {
	case p.wake <- struct{}{}:
	default: // it will
	}
}

// start begins every errand that is due, and returns when the next one may be.
func (p *project) start(ctx context.Context) time.Time {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.identity.refused() != nil {
		return now.Add(p.pace.sweep) // watchIdentity rouses the loop when that is over
	}
	if now.Before(p.silence) {
		return p.silence
	}
	if err := p.Log.Trouble(); err != nil {
		p.silent(logError{err}, now, p.pace.active)
		return p.silence
	}
	if p.gated {
		p.gated = false
		p.calm()
	}
	p.beginAgain()
	if horizon := p.Log.Horizon(); horizon != p.looked || p.looked == 0 {
		p.looked = horizon
		p.findMotions(now)
		p.findParents()
	}
	p.finishBelow(ctx)
	next := now.Add(p.pace.active)
	all := append([]*list(nil), p.lists...)
	for _, l := range p.below {
		all = append(all, l)
	}
	for _, l := range all {
		next = earlier(next, p.startList(ctx, l, now))
	}
	return earlier(next, p.startAsks(ctx, now))
}

// beginAgain has everything compared anew when the log is another one. The caller holds the lock.
func (p *project) beginAgain() {
	epoch := p.Log.Epoch()
	if epoch == p.epoch {
		return
	}
	p.log.Warn("the log is not the one that MK.IO was compared with: everything is compared again")
	p.epoch, p.looked = epoch, 0
	p.motions, p.below = map[string]*motion{}, map[lifecycle.Key]*list{}
	for _, l := range p.lists {
		l.next, l.base, l.swept, l.proof, l.tried = [errands]time.Time{}, time.Time{}, swept{}, nil, nil
	}
	p.patience.forget()
}

// maxAsks is how many resources that somebody wants to be looked at are asked for side by side: many deliveries
// may have been lost at once.
const maxAsks = 8

// startAsks begins to ask for what somebody wants to be looked at, and returns when more of it is due. The
// caller holds the lock.
func (p *project) startAsks(ctx context.Context, now time.Time) time.Time {
	next := now.Add(p.pace.active)
	busy := 0
	for _, a := range p.asks {
		if a.busy {
			busy++
		}
	}
	for key, a := range p.asks {
		switch {
		case a.busy || busy == maxAsks: // one that ends rouses the loop
		case now.Before(a.next):
			next = earlier(next, a.next)
		default:
			busy++
			a.busy = true
			as := *a
			p.errands.Go(func() { p.answer(ctx, key, as) })
		}
	}
	return next
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// startList begins what is due of one list, and returns when something of it may be due next. What is
// under way rouses the loop when it ends. The caller holds the lock.
func (p *project) startList(ctx context.Context, l *list, now time.Time) time.Time {
	next := now.Add(p.pace.active)
	short := onePage(p.count(l)) || !l.ByChange() || l.below()
	if !l.busy[sweeping] {
		at := l.next[sweeping]
		if short {
			at = earlier(at, l.next[changes])
		}
		next = earlier(next, at)
		if !now.Before(at) {
			class := mkio.Sweeps
			if short && !l.swept.at.IsZero() {
				class = mkio.Changes
			}
			p.begin(ctx, l, sweeping, func(ctx context.Context) error { return p.sweep(ctx, l, class) })
		}
	}
	if !l.busy[changes] && !short && !l.base.IsZero() {
		next = earlier(next, l.next[changes])
		if !now.Before(l.next[changes]) {
			p.begin(ctx, l, changes, func(ctx context.Context) error { return p.askChanges(ctx, l, mkio.Changes, nil) })
		}
	}
	if moving, at := p.movingOn(l); !l.busy[looking] && len(moving) > 0 {
		at = later(at, l.next[looking])
		next = earlier(next, at)
		if !now.Before(at) {
			p.begin(ctx, l, looking, func(ctx context.Context) error { return p.look(ctx, l, moving) })
		}
	}
	return later(next, now.Add(shortest))
}

// shortest is the least that the loop sleeps: what it just began is no reason to come again.
const shortest = 10 * time.Millisecond

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// begin starts an errand. The caller holds the lock.
func (p *project) begin(ctx context.Context, l *list, e errand, do func(context.Context) error) {
	l.busy[e] = true
	p.errands.Go(func() {
		err := p.traced(ctx, l, e, do)
		p.ended(ctx, l, e, err)
		p.rouse()
	})
}

// ended notes how an errand ended, and when it is due again.
func (p *project) ended(ctx context.Context, l *list, e errand, err error) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	l.busy[e] = false
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		p.outage.answered()
		if l.failures[e] > 0 {
			p.log.Info("it can be asked for again", "list", l.String(), "errand", e.String())
		}
		l.failures[e] = 0
		p.succeeded = now
		p.calm()
		l.next[looking] = time.Time{} // its resources say when
		if e == changes {
			l.next[changes] = now.Add(p.pace.sweep)
		}
		return
	}
	l.failures[e]++
	wait := retryAfter(l.failures[e])
	l.next[e] = now.Add(wait)
	if e == sweeping { // which answers what changed as well, where a list is short
		l.next[changes] = later(l.next[changes], l.next[e])
	}
	p.metrics.failed(p.name, l.String(), err)
	if p.silent(err, now, wait) {
		return
	}
	p.log.Log(ctx, p.outage.level(err, l.failures[e] == 1), "it cannot be asked for, and is tried again", "list", l.String(), "errand", e.String(), "error", err, "do", p.advice(err), "in", wait)
}

// silent says whether an error stops all asking of the project for a while, and says so once.
func (p *project) silent(err error, now time.Time, wait time.Duration) bool {
	if isMismatch(err) {
		p.refuse(err)
		return true
	}
	refused := mkio.StatusOf(err) == 401
	if refused {
		// What is accepted elsewhere is refused here: that is a matter of this address.
		alone := !p.refused.IsZero() && !p.succeeded.Before(p.refused)
		p.refused = now
		refused = !alone
	}
	_, unwritable := errors.AsType[logError](err)
	if !refused && !unwritable {
		return false
	}
	p.silence = now.Add(max(wait, p.pace.active))
	if unwritable && p.Log.Trouble() != nil {
		p.silence = now.Add(p.pace.active) // and then nothing is asked either, before the log can be written
		p.gated = true
	}
	if !p.troubled {
		p.log.Error("polling pauses", "error", err, "do", p.advice(err))
	}
	p.troubled = true
	p.metrics.troubled(p.name, true)
	return true
}

func (p *project) calm() {
	if p.troubled {
		p.log.Info("polling goes on")
	}
	p.troubled = false
	p.metrics.troubled(p.name, false)
}

// sweptNow notes a sweep that got to its end, and says when the next is due. The caller holds the lock.
func (p *project) sweptNow(l *list, done swept) {
	l.swept, l.base, l.tried = done, done.at, nil
	if l.idle++; l.changed {
		l.idle = 0
	}
	now := time.Now()
	l.next[sweeping] = now.Add(p.pace.full)
	if l.again {
		l.next[sweeping], l.again = now, false
	}
	l.next[changes] = now.Add(p.pace.sweep)
	if l.Kinds[0] == lifecycle.ScheduledOperation {
		l.next[changes] = now.Add(min(p.pace.sweep<<min(l.idle, 10), p.pace.full))
	}
}

// count is how many resources a list is known to have.
func (p *project) count(l *list) int {
	n := 0
	for _, kind := range l.Kinds {
		n += p.Log.Count(kind, p.name)
	}
	return n
}

// nudge brings forward what an event suggests has changed. A burst of nudges is one: nothing is asked for more
// often than every Active.
func (p *project) nudge(key lifecycle.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := time.Now().Add(p.pace.active)
	for _, l := range p.lists {
		if suggests(key.Kind, l) {
			l.soon(changes, at)
		}
	}
	if l := p.below[key]; l != nil {
		l.idle = 0
		l.soon(changes, at)
	}
	if parent, ok := mkio.ParentOf(key); ok {
		if l := p.below[parent]; l != nil {
			l.idle = 0
			l.soon(changes, at)
		}
	}
	p.rouse()
}

// suggests says whether an event of a kind lets expect changes on a list: on its own, on that of assets
// when a job ends, and on all that it may be when it is a channel instance of something.
func suggests(kind lifecycle.Kind, l *list) bool {
	for _, k := range l.Kinds {
		switch {
		case k == kind,
			kind == lifecycle.Job && k == lifecycle.Asset,
			kind == lifecycle.ChannelInstance && (k == lifecycle.LiveEvent || k == lifecycle.LiveChannel):
			return true
		}
	}
	return false
}

// ask has a resource looked at.
func (p *project) ask(key lifecycle.Key, via lifecycle.Via) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.asks[key]; a == nil || a.patient && !a.busy {
		p.asks[key] = &ask{via: via, next: time.Now()}
		p.rouse()
	}
}
