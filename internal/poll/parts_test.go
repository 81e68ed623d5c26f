package poll

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// A fakeLog is a log in which nothing is recorded.
type fakeLog struct{ unavailable error }

func (l *fakeLog) Unavailable() error { return l.unavailable }
func (*fakeLog) Epoch() uint64        { return 1 }
func (*fakeLog) Horizon() uint64      { return 1 }

func newTestScope(log *bridgetest.Buffer, state Log) *scope {
	return &scope{
		name: "p", eventLog: state, intervals: intervals{active: 5 * time.Second, sweep: time.Minute, full: time.Hour, perMinute: 1000},
		log: slog.New(slog.NewTextHandler(log, nil)), metrics: newMetrics(), advice: func(error) string { return "" },
		wake: make(chan struct{}, 1), standing: &standing{advice: func(error) string { return "" }},
	}
}

func testKey(t *testing.T, name string) lifecycle.Key {
	t.Helper()
	key, err := lifecycle.NewKey(lifecycle.Asset, "p", name)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestTheBreakerOpensForErrorsOfEveryList(t *testing.T) {
	refused := &mkio.APIError{Status: 401}
	for _, tt := range []struct {
		name string
		err  error
		want bool
	}{
		{"a list that fails", &mkio.APIError{Status: 500}, false},
		{"the token is refused", refused, true},
		{"the log cannot be written", logError{errors.New("no space")}, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			var lines bridgetest.Buffer
			b := &breaker{scope: newTestScope(&lines, &fakeLog{})}
			now := time.Now()
			if got := b.trip(tt.err, now, time.Minute); got != tt.want {
				t.Errorf("%s: tripped %t", tt.name, got)
			}
			if until, open := b.blocked(now); open != tt.want || open && until != now.Add(time.Minute) {
				t.Errorf("%s: open %t until %s", tt.name, open, until)
			}
			if _, open := b.blocked(now.Add(time.Minute)); open {
				t.Errorf("%s: open after its time", tt.name)
			}
		})
	}
}

// A token that is refused at one address and accepted at others concerns that address only.
func TestOneAddressThatRefusesTheTokenDoesNotOpenTheBreaker(t *testing.T) {
	var lines bridgetest.Buffer
	b := &breaker{scope: newTestScope(&lines, &fakeLog{})}
	refused, now := &mkio.APIError{Status: 401}, time.Now()
	if !b.trip(refused, now, time.Minute) {
		t.Error("the first refusal did not open the breaker")
	}
	b.succeed(now.Add(2 * time.Minute))
	if b.trip(refused, now.Add(3*time.Minute), time.Minute) {
		t.Error("the breaker opened again though other addresses accept the token")
	}
	if !b.trip(refused, now.Add(4*time.Minute), time.Minute) {
		t.Error("the breaker stayed closed though no poll succeeded since")
	}
}

func TestTheBreakerIsOpenWhileTheLogCannotBeWritten(t *testing.T) {
	var lines bridgetest.Buffer
	log := &fakeLog{unavailable: errors.New("down")}
	b := &breaker{scope: newTestScope(&lines, log)}
	now := time.Now()
	for range 3 {
		until, open := b.blocked(now)
		if !open {
			t.Fatal("closed while the log cannot be written")
		}
		now = until
	}
	log.unavailable = nil
	if _, open := b.blocked(now); open {
		t.Error("open though the log can be written again")
	}
}

// takeDue takes the rechecks that are due.
func takeDue(q *recheckQueue, now time.Time) map[lifecycle.Key]recheck {
	due, _ := q.due(now)
	return q.take(slices.Collect(maps.Keys(due)))
}

func TestTheRecheckQueueLimitsConcurrentRechecks(t *testing.T) {
	var lines bridgetest.Buffer
	q := newRecheckQueue(newTestScope(&lines, &fakeLog{}))
	for i := range 2 * maxConcurrentRechecks {
		q.add(testKey(t, fmt.Sprint(i)), lifecycle.History)
	}
	now := time.Now()
	first, second := takeDue(q, now), takeDue(q, now)
	if len(first) != maxConcurrentRechecks || len(second) != 0 {
		t.Fatalf("took %d, then %d", len(first), len(second))
	}
	for key, as := range first {
		q.done(key, as, now)
	}
	if third := takeDue(q, now); len(third) != maxConcurrentRechecks {
		t.Errorf("took %d once those were done", len(third))
	}
}

// A resource whose responses are repeatedly outdated is rechecked with growing delays, and finally left to the next sweep.
func TestAResourceOutdatedTooOftenIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bridgetest.Buffer
		q := newRecheckQueue(newTestScope(&lines, &fakeLog{}))
		key, rechecks, before := testKey(t, "a"), 0, time.Duration(0)
		q.outdated(key)
		for began := time.Now(); time.Since(began) < time.Hour; time.Sleep(time.Second) {
			due := takeDue(q, time.Now())
			as, ok := due[key]
			if !ok {
				continue
			}
			rechecks++
			if waited := time.Since(began); waited <= before {
				t.Errorf("rechecked after %s, before that after %s", waited, before)
			}
			before = time.Since(began)
			q.outdated(key)
			q.done(key, as, time.Now())
		}
		if rechecks != maxTries || len(q.byKey) != 0 {
			t.Errorf("rechecked %d times, and %d are queued", rechecks, len(q.byKey))
		}
	})
}

// A row of any list answers the recheck of its resource if it was requested after the recheck was queued. What a delta sweep does
// not answer is left to a full sweep, and what a failed one does not, to a request of its own.
func TestListsAnswerRechecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bridgetest.Buffer
		q := newRecheckQueue(newTestScope(&lines, &fakeLog{}))
		assets := &list{List: mkio.Lists("p", []lifecycle.Kind{lifecycle.Asset})[0]}
		answered, missed, before := testKey(t, "answered"), testKey(t, "missed"), time.Now()
		q.add(answered, lifecycle.History)
		q.add(missed, lifecycle.History)
		wantMeans := func(when string, want map[lifecycle.Key]recheckMeans) {
			t.Helper()
			if due, _ := q.due(time.Now()); !maps.Equal(due, want) {
				t.Errorf("%s: due %v, want %v", when, due, want)
			}
		}
		q.answered(answered, before)
		q.listPolled(assets, modeDelta, before, nil)
		wantMeans("requested before", map[lifecycle.Key]recheckMeans{answered: byDelta, missed: byDelta})
		time.Sleep(time.Second)
		began := time.Now()
		if via := q.via(answered, lifecycle.Poll, began); via != lifecycle.History {
			t.Errorf("the observation that answers a recheck of the history is via %s", via)
		}
		q.answered(answered, began)
		q.listPolled(assets, modeDelta, began, nil)
		wantMeans("after a delta sweep", map[lifecycle.Key]recheckMeans{missed: bySweep})
		if via := q.via(answered, lifecycle.Poll, began); via != lifecycle.Poll {
			t.Errorf("an observation without a recheck is via %s", via)
		}
		q.listPolled(assets, modeFull, began, errIncomplete)
		wantMeans("after a sweep that failed", map[lifecycle.Key]recheckMeans{missed: byAddress})
		again := testKey(t, "again")
		q.add(again, lifecycle.Poll)
		time.Sleep(time.Second)
		q.listPolled(assets, modeFull, time.Now(), nil)
		wantMeans("after a complete sweep", map[lifecycle.Key]recheckMeans{missed: byAddress})
	})
}

// An urgent recheck replaces a deferred one, and not the other way round.
func TestAnUrgentRecheckReplacesADeferredOne(t *testing.T) {
	var lines bridgetest.Buffer
	q := newRecheckQueue(newTestScope(&lines, &fakeLog{}))
	key := testKey(t, "a")
	q.addDeferred(key, time.Hour)
	if due := takeDue(q, time.Now()); len(due) != 0 {
		t.Fatal("a deferred recheck is due at once")
	}
	q.add(key, lifecycle.Poll)
	q.addDeferred(key, time.Hour)
	if due := takeDue(q, time.Now()); len(due) != 1 {
		t.Error("an urgent recheck waits")
	}
}

// The list of a parent that is gone is retired when no poll of it is under way, and no poll starts afterwards.
func TestARetiredListIsNotPolled(t *testing.T) {
	var s schedule
	if !s.begin(modeFull) || s.retire() {
		t.Error("a list that is being swept was retired")
	}
	s.abort(modeFull)
	if !s.retire() || s.begin(modeDelta) {
		t.Error("a poll of a retired list started")
	}
}

// A sweep that is requested while another is under way starts when that ends.
func TestASweepRequestedDuringASweepFollowsAtOnce(t *testing.T) {
	p, now := intervals{sweep: time.Minute, full: time.Hour}, time.Now()
	var s schedule
	s.begin(modeFull)
	s.sweepNow()
	s.sweepFinished(false, false, p, now)
	if due := s.due().next[modeFull]; due.After(now) {
		t.Errorf("the next sweep is due in %s", due.Sub(now))
	}
	s.sweepFinished(false, false, p, now)
	if due := s.due().next[modeFull]; due != now.Add(p.full) {
		t.Errorf("the sweep after it is due in %s", due.Sub(now))
	}
}
