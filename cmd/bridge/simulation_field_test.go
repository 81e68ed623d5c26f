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

// An episode is a fault of MK.IO, or of what is between it and the bridge, that begins at a time.
type episode struct {
	name  string
	after time.Duration // since the test began
	do    func(f *fieldTest)
}

// A fieldTest is a simulation with one episode after another.
type fieldTest struct {
	*simulation
	start      time.Time
	faults     mkiofake.Faults // outside of episodes
	ownToken   string          // of the organisation that the log belongs to
	otherToken string          // of another organisation
}

// fieldFaults returns the faults outside of episodes: MK.IO's usual ones, and a lagging replica.
func fieldFaults() mkiofake.Faults {
	faults := mkiofake.Rude
	faults.OtherOrigin = 1
	faults.ReplicaList, faults.ReplicaBy = 0.02, 2*time.Minute
	return faults
}

// testField runs the episodes, and checks the log after each and at the end.
func testField(t *testing.T, lasts time.Duration, episodes []episode, last func(f *fieldTest)) {
	t.Helper()
	faults := fieldFaults()
	simulate(t, 0, faults, func(s *simulation) {
		f := &fieldTest{
			simulation: s, start: time.Now(), faults: faults,
			ownToken: mkiofake.NewToken("", time.Time{}), otherToken: mkiofake.NewToken("theirs", time.Time{}),
		}
		s.fake.SetPageSize(20)
		f.populate()
		play(s.fake, s.rng, lasts)
		stop := f.addOrganization(lasts)
		defer stop()
		time.Sleep(time.Minute) // a bridge that stops while it acquires a lease leaves it behind, and no lease expires here
		f.restart(0, func() { s.fake.SetToken(f.ownToken); f.replaceToken(f.ownToken) })
		for _, e := range episodes {
			time.Sleep(time.Until(f.start.Add(e.after)))
			t.Logf("%s: %s", e.after, e.name)
			e.do(f)
			f.judge(e.name)
		}
		s.settle()
		s.check()
		f.judge("the end")
		f.checkDeleted()
		last(f)
		for _, token := range []string{f.ownToken, f.otherToken} {
			if strings.Contains(s.logs.String(), token) {
				t.Error("a token is in the log")
			}
		}
	}, func(c *config) { c.PollSweep, c.PollFull = 15*time.Minute, time.Hour })
}

// play plays MK.IO's days for some time.
func play(fake *mkiofake.MKIO, rng *rand.Rand, lasts time.Duration) {
	start := time.Now()
	end := start.Add(lasts)
	for ; start.Before(end); start = start.AddDate(0, 0, 1) {
		script := mkiofake.Day(rng, start.Add(time.Hour), 8)
		fake.Play(slices.DeleteFunc(script, func(step mkiofake.Step) bool { return step.At.After(end) }))
	}
}

// resourcesPerKind is enough for mass deletions to wait for confirmation (more than 20).
const resourcesPerKind = 25

// populate creates enough resources of each kind that an outage which hides them counts as a mass deletion, and the bridge
// waits. A few missing resources are indistinguishable from deleted ones, and are recorded as Deleted at once. An outage of
// 404 hides child resources; one of empty lists hides everything, and is limited to the project with fewer kinds.
func (f *fieldTest) populate() {
	create := func(state string, kind lifecycle.Kind, project string, names ...string) {
		f.fake.Create(f.key(kind, project, names...), state)
	}
	for i := range resourcesPerKind {
		name := fmt.Sprintf("kept-%d", i+1)
		create("Ready", lifecycle.Asset, mkiofake.VOD, name)
		create("Created", lifecycle.ContentKeyPolicy, mkiofake.VOD, name)
		create("Finished", lifecycle.Job, mkiofake.VOD, "ladder-hd", name)
		create("Created", lifecycle.StreamingLocator, mkiofake.VOD, name)
		create("Stopped", lifecycle.StreamingEndpoint, mkiofake.VOD, name)
		create("", lifecycle.Storage, mkiofake.VOD, name)
		create("Running", lifecycle.LiveEvent, mkiofake.Live, name)
		create("Running", lifecycle.LiveOutput, mkiofake.Live, name, "out")
		create("Stopped", lifecycle.LiveChannel, mkiofake.Live, name)
		create("Completed", lifecycle.ScheduledOperation, mkiofake.Live, string(lifecycle.LiveChannel), name, "weekly")
	}
}

// addOrganization adds another organisation at MK.IO's address, whose projects have the same names.
func (f *fieldTest) addOrganization(lasts time.Duration) (stop func()) {
	other := mkiofake.New(mkiofake.Config{Seed: 43, Organization: "theirs", Token: f.otherToken, Faults: f.faults})
	play(other, rand.New(rand.NewPCG(5, 0)), lasts)
	f.fake.AddOrganization(other)
	ctx, cancel := context.WithCancel(f.t.Context())
	var playing sync.WaitGroup
	playing.Go(func() { _ = other.Run(ctx) })
	return func() { cancel(); playing.Wait() }
}

// replaceToken gives the bridge another token, whether it runs or not.
func (f *fieldTest) replaceToken(token string) {
	source := f.config.MkioToken.source
	source.mu.Lock()
	defer source.mu.Unlock()
	source.value = token
}

// restart stops the bridge for a while, and calls meanwhile while it is stopped.
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

// withFaults calls happens with other faults. No change made then updates the modification time of a record.
func (f *fieldTest) withFaults(change func(*mkiofake.Faults), happens func()) {
	faults := f.faults
	faults.NotModified = 1
	change(&faults)
	f.fake.SetFaults(faults)
	happens()
	f.fake.SetFaults(f.faults)
}

// onAndOffAir moves channels, which have webhooks, and restarts the bridge while they run.
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

// createShortLived creates a resource of each of some kinds. end deletes them and restarts the bridge, whose first full
// sweep records the deletions.
func (f *fieldTest) createShortLived() (end func()) {
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

// outage makes MK.IO respond 404 to everything below both projects for some time; with hollow, it returns empty lists for
// one. The bridge restarts meanwhile, so that it does a full sweep.
func (f *fieldTest) outage(lasts time.Duration, hollow bool) {
	for _, project := range []string{mkiofake.VOD, mkiofake.Live} {
		f.fake.Outage(project, true)
	}
	f.fake.SetEmptyLists(mkiofake.VOD, hollow)
	time.Sleep(lasts / 4)
	f.restart(time.Second, nil)
	time.Sleep(lasts*3/4 - time.Second)
	for _, project := range []string{mkiofake.VOD, mkiofake.Live} {
		f.fake.Outage(project, false)
	}
	f.fake.SetEmptyLists(mkiofake.VOD, false)
}

// judge checks the log's invariants, to find the first episode that violates one. It reports only the first violation.
func (f *fieldTest) judge(when string) {
	f.t.Helper()
	if f.bridge == nil {
		f.t.Fatalf("%s: the bridge does not run", when)
	}
	if f.t.Failed() {
		return
	}
	if err := f.recorder.Check(f.t.Context(), f.bridge.js, f.bridge.names, f.fake); err != nil {
		f.t.Errorf("after %s: %v", when, err)
	}
}

// deletions returns the lives with a Deleted event, and their resources.
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

// checkDeleted checks that MK.IO deleted every life that is Deleted in the log.
func (f *fieldTest) checkDeleted() {
	f.t.Helper()
	meant := map[string]bool{}
	for _, c := range f.fake.Changes() {
		if c.State == lifecycle.StateDeleted {
			meant[c.Life] = true
		}
	}
	for _, e := range f.recorder.Exemptions() {
		f.t.Log(e)
		if lifecycle.SameState(e.State, lifecycle.StateDeleted) {
			meant[e.Life] = true
		}
	}
	recorded := f.deletions()
	for life, key := range recorded {
		if !meant[life] {
			f.t.Errorf("%s is Deleted in the log, and MK.IO did not delete it", key)
		}
	}
	f.t.Logf("MK.IO deleted %d lives, the log has %d of them", len(meant), len(recorded))
	if len(recorded) == 0 {
		f.t.Error("nothing was deleted: the test proves less than it claims")
	}
}

// recreateProject recreates a project, and checks that the bridge records nothing of it.
func (f *fieldTest) recreateProject() {
	f.t.Helper()
	countEvents := func() (count int) {
		for _, err := range f.bridge.events.Events(f.t.Context(), eventlog.Query{Projects: []string{mkiofake.VOD}}) {
			if err != nil {
				f.t.Fatal(err)
			}
			count++
		}
		return count
	}
	f.fake.SetFaults(f.faults)
	before := countEvents()
	f.fake.RecreateProject(mkiofake.VOD)
	for i := range 5 {
		f.fake.Create(f.key(lifecycle.Job, mkiofake.VOD, "ladder-hd", fmt.Sprintf("kept-%d", i+1)), "Processing")
	}
	time.Sleep(90 * time.Minute)
	f.restart(time.Minute, nil)
	requests := f.fake.Requests(mkiofake.VOD).ByRoute
	time.Sleep(90 * time.Minute)
	if after := countEvents(); after != before {
		f.t.Errorf("the log has %d more events of a recreated project", after-before)
	}
	for route, n := range f.fake.Requests(mkiofake.VOD).ByRoute {
		if n > requests[route] && !strings.HasPrefix(route, "GET projects") {
			f.t.Errorf("%s was requested %d times of a recreated project", route, n-requests[route])
		}
	}
	if err := f.recorder.Check(f.t.Context(), f.bridge.js, f.bridge.names, f.fake); err != nil {
		f.t.Error(err)
	}
	f.checkDeleted()
}

// Episodes.

func staleCache(f *fieldTest) {
	f.withFaults(func(faults *mkiofake.Faults) {
		faults.Cached, faults.CachedBy = 1, 40*time.Minute
	}, f.onAndOffAir)
}

func laggingReplica(f *fieldTest) {
	f.withFaults(func(faults *mkiofake.Faults) {
		faults.ReplicaList, faults.ReplicaSingle, faults.ReplicaBy = 0.5, 0.5, 10*time.Minute
	}, f.onAndOffAir)
	end := f.createShortLived()
	f.withFaults(func(faults *mkiofake.Faults) { faults.ReplicaBy = 10 * time.Minute }, end) // the replica has the old records from now on
	f.withFaults(func(faults *mkiofake.Faults) {
		faults.ReplicaList, faults.ReplicaSingle, faults.ReplicaBy = 1, 1, 10*time.Minute
	}, func() {
		for range 4 {
			f.restart(time.Second, nil)
			time.Sleep(time.Minute)
		}
	})
}

func foreignToken(f *fieldTest) {
	f.replaceToken(f.otherToken)
	time.Sleep(20 * time.Minute)
	f.replaceToken(f.ownToken)
}

// clockSet shifts MK.IO's clock permanently. A running bridge must detect it; a restarted one knows only the new time.
func clockSet(by time.Duration, restart bool) func(*fieldTest) {
	return func(f *fieldTest) {
		f.fake.SetClock(by)
		time.Sleep(90 * time.Second) // while responses may still be taken for cached copies
		if restart {
			f.restart(time.Second, nil)
		}
		time.Sleep(time.Hour)
	}
}

// TestHoursOfFieldFaults runs one episode after another.
func TestHoursOfFieldFaults(t *testing.T) {
	bridgetest.SkipIfShort(t)
	testField(t, 11*time.Hour, []episode{
		{"a stale cache", 90 * time.Minute, staleCache},
		{"a lagging replica", 2 * time.Hour, laggingReplica},
		{"an outage of 404", 210 * time.Minute, func(f *fieldTest) { f.outage(8*time.Minute, false) }},
		{"an outage of 404 with empty lists", 270 * time.Minute, func(f *fieldTest) { f.outage(8*time.Minute, true) }},
		{"the token of another organisation", 330 * time.Minute, foreignToken},
		{"a clock set forward", 6 * time.Hour, clockSet(3*time.Hour, true)},
		{"a clock set back", 8 * time.Hour, clockSet(-4*time.Hour, false)},
	}, (*fieldTest).recreateProject)
}
