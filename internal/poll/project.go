package poll

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/pause"
)

// A project is one project while this bridge polls it: its parts and the goroutines that run them. Each part guards its own
// state.
type project struct {
	*scope
	lists        *lists
	rechecks     *recheckQueue
	deletions    *waitingDeletions
	identity     *identityCheck
	identityLoop *identityLoop
	first        *firstSweeps
	coverage     *coverage
	scheduler    *scheduler
	tasks        []task
}

// newProject wires the parts together.
func newProject(p *Poller, name string) *project {
	s := newScope(p, name)
	lists, rechecks := newLists(s), newRecheckQueue(s)
	deletions := newWaitingDeletions(p.DeletePatience, s.log, func(kind lifecycle.Kind, n int) { s.metrics.setWaiting(name, kind, n) }, s.kinds)
	first := newFirstSweeps(p.Notes, name)
	motions, outage := newMotions(s, deletions), &outage{}
	identity := &identityCheck{scope: s, record: p.identity, lists: lists, outage: outage}
	breaker := &breaker{scope: s, identity: identity}
	coverage := newCoverage(s, p.Coverage, lists, deletions)
	reporter := &reporter{
		scope: s, observer: p.Observer, identity: identity, deletions: deletions, first: first, motions: motions, rechecks: rechecks,
		states: newStateRequests(),
	}
	fetcher := &fetcher{scope: s, reporter: reporter, motions: motions}
	deltas := &deltaSweeps{scope: s, reporter: reporter}
	full := &fullSweeps{
		scope: s, lists: lists, reporter: reporter, identity: identity, deletions: deletions, first: first, coverage: coverage,
	}
	project := &project{
		scope: s, lists: lists, rechecks: rechecks, deletions: deletions, identity: identity, first: first, coverage: coverage,
		identityLoop: &identityLoop{scope: s, identity: identity, breaker: breaker, outage: outage, projectsListed: len(p.Projects) == 0},
		scheduler: &scheduler{
			scope: s, lists: lists, motions: motions, identity: identity, deletions: deletions, first: first, breaker: breaker, outage: outage,
			rechecks: &rechecker{scope: s, queue: rechecks, lists: lists, fetcher: fetcher, breaker: breaker},
			full:     full, deltas: deltas,
			active: &activePoll{scope: s, motions: motions, fetcher: fetcher, deltas: deltas, sweeps: full},
			epoch:  s.eventLog.Epoch(),
		},
	}
	project.tasks = project.newTasks(p, outage)
	return project
}

// newTasks returns the periodic work of the project besides its lists.
func (p *project) newTasks(poller *Poller, outage *outage) []task {
	var tasks []task
	rule := poller.Rule
	if poller.ReconcileRule != nil {
		tasks = append(tasks, task{
			scope: p.scope, identity: p.identity, outage: outage, label: "rule",
			do:         func(ctx context.Context) error { return p.reconcileRule(ctx, poller.ReconcileRule) },
			isExpected: func(error) bool { return false },
			logFailure: func(level slog.Level, err error) {
				p.log.Log(context.Background(), level, "webhook rule cannot be reconciled; retrying",
					"rule", rule, "error", err, "do", p.advice(err))
			},
		})
	}
	if rule != "" {
		tasks = append(tasks, task{
			scope: p.scope, identity: p.identity, outage: outage, label: "history",
			do:         p.historyTask(newDeliveryHistory(p.scope, rule, poller.Notes, p.rechecks), poller.ReconcileRule != nil),
			isExpected: mkio.IsNotFound, // without a rule there is no history
			logFailure: func(level slog.Level, err error) {
				p.log.Log(context.Background(), level, "delivery history cannot be read; retrying",
					"rule", rule, "error", err, "do", p.advice(err))
			},
		})
	}
	return tasks
}

// reconcileRule has the webhook rule updated, and publishes how it stands.
func (p *project) reconcileRule(ctx context.Context, reconcile RuleReconciler) error {
	standing, err := reconcile(ctx, p.name)
	if ctx.Err() == nil {
		p.standing.setRule(standing, time.Now())
	}
	return err
}

// historyTask returns a task that reads a history. If the bridge does not manage the rule, it publishes what the answer says about
// the rule: nothing else reads it.
func (p *project) historyTask(history *deliveryHistory, managed bool) func(context.Context) error {
	if managed {
		return history.run
	}
	return func(ctx context.Context) error {
		err := history.run(ctx)
		switch {
		case err == nil:
			p.standing.setRule(event.LeaderRule{Rule: history.rule, State: event.RuleExists}, time.Now())
		case mkio.IsNotFound(err):
			p.standing.setRule(event.LeaderRule{Rule: history.rule, State: event.RuleMissing}, time.Now())
		}
		return err
	}
}

// run polls until the context ends, and waits for all parts.
func (p *project) run(ctx context.Context) {
	p.identityLoop.awaitProject(ctx)
	for {
		err := p.first.load(ctx, p.kinds)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return
		}
		p.log.Warn("records of first sweeps cannot be read; polling waits", "error", err)
		if pause.For(ctx, p.intervals.sweep) != nil {
			return
		}
	}
	p.coverage.load(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { p.coverage.watchOverdue(ctx) })
	running.Go(func() { p.identityLoop.run(ctx) })
	for _, t := range p.tasks {
		running.Go(func() { t.run(ctx) })
	}
	p.scheduler.run(ctx)
}

// onEvent is [Poller.OnEvent] for an event of the project.
func (p *project) onEvent(key lifecycle.Key, fact lifecycle.Fact) {
	p.deletions.onEvent(key, fact)
	p.endProgress(key, fact)
	if fact.Delivery != "" {
		p.lists.expectChanges(key, time.Now().Add(p.intervals.active))
	}
	p.wakeScheduler()
}
