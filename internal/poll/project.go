package poll

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/pause"
)

// A project is one project while it is polled here: its parts, each of which guards its own state, and the goroutines that
// run them.
type project struct {
	*scope
	lists     *lists
	rechecks  *recheckQueue
	patience  *patience
	identity  *identification
	watch     *identityWatch
	first     *firstSweeps
	coverage  *coverage
	scheduler *scheduler
	chores    []chore
}

// newProject puts the parts together.
func newProject(p *Poller, name string) *project {
	s := newScope(p, name)
	lists, rechecks := newLists(s), newRecheckQueue(s)
	patience := newPatience(p.DeletePatience, s.log, func(kind lifecycle.Kind, n int) { s.metrics.waits(name, kind, n) }, s.kinds)
	first := newFirstSweeps(p.Notes, name)
	motions, outage := newMotions(s, patience), &outage{}
	identity := &identification{scope: s, recorded: p.identity, lists: lists, outage: outage}
	breaker := &breaker{scope: s, identity: identity}
	coverage := newCoverage(s, p.Coverage, lists, patience)
	reporter := &reporter{
		scope: s, observer: p.Observer, identity: identity, patience: patience, first: first, motions: motions, rechecks: rechecks,
	}
	visitor := &visitor{scope: s, reporter: reporter, motions: motions}
	deltas := &deltaSweeps{scope: s, reporter: reporter}
	full := &fullSweeps{
		scope: s, lists: lists, reporter: reporter, identity: identity, patience: patience, first: first, coverage: coverage,
	}
	project := &project{
		scope: s, lists: lists, rechecks: rechecks, patience: patience, identity: identity, first: first, coverage: coverage,
		watch: &identityWatch{scope: s, identity: identity, breaker: breaker, outage: outage, listed: len(p.Projects) == 0},
		scheduler: &scheduler{
			scope: s, lists: lists, motions: motions, identity: identity, patience: patience, first: first, breaker: breaker, outage: outage,
			rechecks: &rechecker{scope: s, queue: rechecks, lists: lists, visitor: visitor, breaker: breaker},
			full:     full, deltas: deltas,
			active: &activePoll{scope: s, motions: motions, visitor: visitor, deltas: deltas, sweeps: full},
			epoch:  s.eventLog.Epoch(),
		},
	}
	project.chores = project.choresOf(p, outage)
	return project
}

// choresOf are what is done for the project beside its lists.
func (p *project) choresOf(poller *Poller, outage *outage) []chore {
	var chores []chore
	rule := poller.Rule
	if poller.ReconcileRule != nil {
		chores = append(chores, chore{
			scope: p.scope, identity: p.identity, outage: outage, label: "rule",
			do:    func(ctx context.Context) error { return poller.ReconcileRule(ctx, p.name) },
			usual: func(error) bool { return false },
			failed: func(level slog.Level, err error) {
				p.log.Log(context.Background(), level, "the webhook rule cannot be kept right; polling goes on, and it is tried again",
					"rule", rule, "error", err, "do", p.advice(err))
			},
		})
	}
	if rule != "" {
		chores = append(chores, chore{
			scope: p.scope, identity: p.identity, outage: outage, label: "history",
			do:    newDeliveryHistory(p.scope, rule, poller.Notes, p.rechecks).look,
			usual: mkio.IsNotFound, // without a rule there is no history
			failed: func(level slog.Level, err error) {
				p.log.Log(context.Background(), level, "the delivery history cannot be read; it is tried again",
					"rule", rule, "error", err, "do", p.advice(err))
			},
		})
	}
	return chores
}

// run polls until the context ends, and waits for its parts.
func (p *project) run(ctx context.Context) {
	p.watch.await(ctx)
	for {
		err := p.first.load(ctx, p.kinds)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return
		}
		p.log.Warn("what was swept before cannot be read; polling waits for it", "error", err)
		if pause.For(ctx, p.pace.sweep) != nil {
			return
		}
	}
	p.coverage.load(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { p.coverage.watch(ctx) })
	running.Go(func() { p.watch.run(ctx) })
	for _, c := range p.chores {
		running.Go(func() { c.run(ctx) })
	}
	p.scheduler.run(ctx)
}

// recorded is [Poller.OnEvent] for an event of the project.
func (p *project) recorded(key lifecycle.Key, fact lifecycle.Fact) {
	p.patience.recorded(key, fact)
	if fact.Delivery != "" {
		p.lists.nudge(key, time.Now().Add(p.pace.active))
	}
	p.rouse()
}
