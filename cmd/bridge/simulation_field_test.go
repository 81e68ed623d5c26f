package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// An episode is something that befalls MK.IO, or the way to it, from a time on.
type episode struct {
	name  string
	after time.Duration // since the test began
	do    func(f *fieldTest)
}

// A fieldTest is a simulation in which episodes befall MK.IO one after another.
type fieldTest struct {
	*simulation
	began  time.Time
	faults mkiofake.Faults // those of every day
	mine   string          // the token of the organisation that the log is of
	theirs string          // that of another
}

// fieldFaults are those of every day of a field test: a rude MK.IO behind caches and replicas.
func fieldFaults() mkiofake.Faults {
	faults := mkiofake.Rude
	faults.OtherOrigin = 1
	faults.ReplicaList, faults.ReplicaBy = 0.02, 2*time.Minute
	return faults
}

// testField lets episodes befall MK.IO for a time, and judges what the bridge made of them.
func testField(t *testing.T, lasts time.Duration, episodes []episode, last func(f *fieldTest)) {
	t.Helper()
	faults := fieldFaults()
	simulate(t, 0, faults, func(s *simulation) {
		f := &fieldTest{
			simulation: s, began: time.Now(), faults: faults,
			mine: mkiofake.NewToken("", time.Time{}), theirs: mkiofake.NewToken("theirs", time.Time{}),
		}
		s.fake.SetPageSize(20)
		f.populate()
		play(s.fake, s.rng, lasts)
		stop := f.addOrganization(lasts)
		defer stop()
		time.Sleep(time.Minute) // a bridge that ends while it takes a lease leaves it taken, and here no lease ends by itself
		f.restart(0, func() { s.fake.SetToken(f.mine); f.exchange(f.mine) })
		for _, e := range episodes {
			time.Sleep(time.Until(f.began.Add(e.after)))
			t.Logf("%s: %s", e.after, e.name)
			e.do(f)
			f.judge(e.name)
		}
		s.settle()
		s.check()
		f.judge("the end")
		f.checkDeleted()
		last(f)
		for _, token := range []string{f.mine, f.theirs} {
			if strings.Contains(s.logs.String(), token) {
				t.Error("a token is in the log")
			}
		}
	}, func(c *config) { c.PollSweep, c.PollFull = 15*time.Minute, time.Hour })
}

// play scripts so much of MK.IO's days.
func play(fake *mkiofake.MKIO, rng *rand.Rand, lasts time.Duration) {
	start := time.Now()
	end := start.Add(lasts)
	for ; start.Before(end); start = start.AddDate(0, 0, 1) {
		script := mkiofake.Day(rng, start.Add(time.Hour), 8)
		fake.Play(slices.DeleteFunc(script, func(step mkiofake.Step) bool { return step.At.After(end) }))
	}
}

// manyOfAKind is more than so few that their deletions do not wait.
const manyOfAKind = 25

// populate makes so many resources of each kind that an outage can hide that it hides many. Where a kind has few of them,
// there is no evidence that tells an outage that hides them from their end, and they are Deleted at once. An outage of 404
// hides what lies below parents, and one of empty lists everything, so that one is of the project with fewer kinds.
func (f *fieldTest) populate() {
	create := func(state string, kind lifecycle.Kind, project string, names ...string) {
		f.fake.Create(f.key(kind, project, names...), state)
	}
	for i := range manyOfAKind {
		name := fmt.Sprintf("kept-%d", i+1)
		create("Ready", lifecycle.Asset, mkiofake.VOD, name)
		create("Created", lifecycle.ContentKeyPolicy, mkiofake.VOD, name)
		create("Finished", lifecycle.Job, mkiofake.VOD, "ladder-hd", name)
		create("Created", lifecycle.StreamingLocator, mkiofake.VOD, name)
		create("Stopped", lifecycle.StreamingEndpoint, mkiofake.VOD, name)
		create("Running", lifecycle.LiveEvent, mkiofake.Live, name)
		create("Running", lifecycle.LiveOutput, mkiofake.Live, name, "out")
		create("Stopped", lifecycle.LiveChannel, mkiofake.Live, name)
		create("Completed", lifecycle.ScheduledOperation, mkiofake.Live, string(lifecycle.LiveChannel), name, "weekly")
	}
}

// addOrganization puts another organisation at MK.IO's address, whose projects have the same names.
func (f *fieldTest) addOrganization(lasts time.Duration) (stop func()) {
	other := mkiofake.New(mkiofake.Config{Seed: 43, Organization: "theirs", Token: f.theirs, Faults: f.faults})
	play(other, rand.New(rand.NewPCG(5, 0)), lasts)
	f.fake.Beside(other)
	ctx, cancel := context.WithCancel(f.t.Context())
	var playing sync.WaitGroup
	playing.Go(func() { _ = other.Run(ctx) })
	return func() { cancel(); playing.Wait() }
}

// exchange gives the bridge another token, whether it runs or not.
func (f *fieldTest) exchange(token string) {
	source := f.config.MkioToken.source
	source.mu.Lock()
	defer source.mu.Unlock()
	source.value = token
}

// restart stops the bridge for a while, and does something while it is away.
func (f *fieldTest) restart(away time.Duration, meanwhile func()) {
	f.close()
	if meanwhile != nil {
		meanwhile()
	}
	time.Sleep(away)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open()
}

// with has other faults while something happens, and none of what happens then changes the time of a record.
func (f *fieldTest) with(change func(*mkiofake.Faults), happens func()) {
	faults := f.faults
	faults.NotModified = 1
	change(&faults)
	f.fake.SetFaults(faults)
	happens()
	f.fake.SetFaults(f.faults)
}

// onAndOffAir moves channels that webhooks tell of, and the bridge restarts while they are on air.
func (f *fieldTest) onAndOffAir() {
	move := func(state string) {
		for i := range 5 {
			f.fake.Move(f.key(lifecycle.LiveChannel, mkiofake.Live, fmt.Sprintf("kept-%d", i+1)), state)
		}
		time.Sleep(5 * time.Minute)
	}
	move("Starting")
	move("Running")
	f.restart(time.Minute, nil)
	move("Stopping")
	move("Stopped")
}

// brief makes a resource on each of some lists, and end deletes them, so that the bridge records it at once: it begins then, and
// compares everything.
func (f *fieldTest) brief() (end func()) {
	name := fmt.Sprintf("brief-%d", time.Now().Unix())
	states := map[lifecycle.Key]string{
		f.key(lifecycle.Asset, mkiofake.VOD, name):            "Ready",
		f.key(lifecycle.Job, mkiofake.VOD, "ladder-hd", name): "Finished",
		f.key(lifecycle.StreamingLocator, mkiofake.VOD, name): "Created",
		f.key(lifecycle.LiveEvent, mkiofake.Live, name):       "Stopped",
		f.key(lifecycle.LiveChannel, mkiofake.Live, name):     "Stopped",
	}
	for key, state := range states {
		f.fake.Create(key, state)
	}
	time.Sleep(f.config.PollSweep)
	return func() {
		for key := range states {
			f.fake.Delete(key)
		}
		f.restart(time.Second, nil)
		time.Sleep(time.Minute)
	}
}

func (f *fieldTest) key(kind lifecycle.Kind, project string, names ...string) lifecycle.Key {
	key, err := lifecycle.NewKey(kind, project, names...)
	if err != nil {
		f.t.Fatal(err)
	}
	return key
}

// outage has everything below both projects answered 404 for a while, and the lists of one empty where hollow. The bridge
// restarts in it, so that it compares all of it.
func (f *fieldTest) outage(lasts time.Duration, hollow bool) {
	for _, project := range []string{mkiofake.VOD, mkiofake.Live} {
		f.fake.Outage(project, true)
	}
	f.fake.Hollow(mkiofake.VOD, hollow)
	time.Sleep(lasts / 4)
	f.restart(time.Second, nil)
	time.Sleep(lasts*3/4 - time.Second)
	for _, project := range []string{mkiofake.VOD, mkiofake.Live} {
		f.fake.Outage(project, false)
	}
	f.fake.Hollow(mkiofake.VOD, false)
}

// judge judges the log as it is, so that the first episode that breaks a promise is known. It says each violation once.
func (f *fieldTest) judge(when string) {
	f.t.Helper()
	if f.bridge == nil {
		f.t.Fatalf("%s: the bridge does not run", when)
	}
	if f.t.Failed() {
		return
	}
	if err := f.told.Judge(f.t.Context(), f.bridge.js, f.bridge.names, f.fake); err != nil {
		f.t.Errorf("after %s: %v", when, err)
	}
}

// deletions are the lives that the log has Deleted.
func (f *fieldTest) deletions() map[string]lifecycle.Key {
	lives := map[string]lifecycle.Key{}
	for e, err := range f.bridge.events.Events(f.t.Context(), eventlog.Query{}) {
		if err != nil {
			f.t.Fatal(err)
		}
		key, err := e.Event.Data.Key()
		if err != nil {
			f.t.Fatal(err)
		}
		if lifecycle.SameState(e.Fact.State, lifecycle.StateDeleted) {
			lives[e.Fact.Life] = key
		}
	}
	return lives
}

// checkDeleted compares what the log has Deleted with what MK.IO deleted: no life more.
func (f *fieldTest) checkDeleted() {
	f.t.Helper()
	meant := map[string]bool{}
	for _, c := range f.fake.Changes() {
		if c.State == lifecycle.StateDeleted {
			meant[c.Life] = true
		}
	}
	for _, e := range f.told.Excuses() {
		f.t.Log(e)
		if lifecycle.SameState(e.State, lifecycle.StateDeleted) {
			meant[e.Life] = true
		}
	}
	recorded := f.deletions()
	for life, key := range recorded {
		if !meant[life] {
			f.t.Errorf("%s is Deleted in the log, and MK.IO did not mean it", key)
		}
	}
	f.t.Logf("MK.IO deleted %d lives, the log has %d of them", len(meant), len(recorded))
	if len(recorded) == 0 {
		f.t.Error("nothing was deleted: the test shows less than it says")
	}
}

// anew makes a project anew, and checks that the bridge takes nothing from it.
func (f *fieldTest) anew() {
	f.t.Helper()
	entries := func() (all int) {
		for _, err := range f.bridge.events.Events(f.t.Context(), eventlog.Query{Project: mkiofake.VOD}) {
			if err != nil {
				f.t.Fatal(err)
			}
			all++
		}
		return all
	}
	f.fake.SetFaults(f.faults)
	before := entries()
	f.fake.Anew(mkiofake.VOD)
	for i := range 5 {
		f.fake.Create(f.key(lifecycle.Job, mkiofake.VOD, "ladder-hd", fmt.Sprintf("kept-%d", i+1)), "Processing")
	}
	time.Sleep(90 * time.Minute)
	f.restart(time.Minute, nil)
	asked := f.fake.Requests(mkiofake.VOD).ByRoute
	time.Sleep(90 * time.Minute)
	if after := entries(); after != before {
		f.t.Errorf("the log has %d events more of a project that was made anew", after-before)
	}
	for route, n := range f.fake.Requests(mkiofake.VOD).ByRoute {
		if n > asked[route] && !strings.HasPrefix(route, "GET projects") {
			f.t.Errorf("%s was asked %d times of a project that was made anew", route, n-asked[route])
		}
	}
	if err := f.told.Judge(f.t.Context(), f.bridge.js, f.bridge.names, f.fake); err != nil {
		f.t.Error(err)
	}
	f.checkDeleted()
}

// Episodes.

func staleCache(f *fieldTest) {
	f.with(func(faults *mkiofake.Faults) {
		faults.Cached, faults.CachedBy = 1, 40*time.Minute
	}, f.onAndOffAir)
}

func laggingReplica(f *fieldTest) {
	f.with(func(faults *mkiofake.Faults) {
		faults.ReplicaList, faults.ReplicaOne, faults.ReplicaBy = 0.5, 0.5, 10*time.Minute
	}, f.onAndOffAir)
	end := f.brief()
	f.with(func(faults *mkiofake.Faults) { faults.ReplicaBy = 10 * time.Minute }, end) // from now on it has what was
	f.with(func(faults *mkiofake.Faults) {
		faults.ReplicaList, faults.ReplicaOne, faults.ReplicaBy = 1, 1, 10*time.Minute
	}, func() {
		for range 4 {
			f.restart(time.Second, nil)
			time.Sleep(time.Minute)
		}
	})
}

func otherToken(f *fieldTest) {
	f.exchange(f.theirs)
	time.Sleep(20 * time.Minute)
	f.exchange(f.mine)
}

// clockSet sets MK.IO's clock for good. A bridge that runs on has to find out, and one that begins does not know another.
func clockSet(by time.Duration, restart bool) func(*fieldTest) {
	return func(f *fieldTest) {
		f.fake.SetClock(by)
		time.Sleep(90 * time.Second) // while it may still be taken for a copy
		if restart {
			f.restart(time.Second, nil)
		}
		time.Sleep(time.Hour)
	}
}

// TestHoursOfFaultsFromTheField has one thing follow another.
func TestHoursOfFaultsFromTheField(t *testing.T) {
	bridgetest.SkipIfShort(t)
	testField(t, 11*time.Hour, []episode{
		{"a stale cache", 90 * time.Minute, staleCache},
		{"a lagging replica", 2 * time.Hour, laggingReplica},
		{"an outage of 404", 210 * time.Minute, func(f *fieldTest) { f.outage(8*time.Minute, false) }},
		{"an outage of 404 with empty lists", 270 * time.Minute, func(f *fieldTest) { f.outage(8*time.Minute, true) }},
		{"the token of another organisation", 330 * time.Minute, otherToken},
		{"a clock set forward", 6 * time.Hour, clockSet(3*time.Hour, true)},
		{"a clock set back", 8 * time.Hour, clockSet(-4*time.Hour, false)},
	}, (*fieldTest).anew)
}
