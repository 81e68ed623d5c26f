package main

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// A fault happens to a fleet for a random time between shortest and longest. inject returns when it is over, and reports
// whether it occurred: a crashed bridge cannot be frozen.
type fault struct {
	name              string
	perDay            int
	shortest, longest time.Duration
	inject            func(f *fleet, lasts time.Duration) bool
}

// faults are the faults of a fleet. They occur at random times, and overlap.
var faults = []fault{
	{"bridge crashes", 6, time.Minute, 10 * time.Minute, func(f *fleet, lasts time.Duration) bool {
		return f.crash(f.anyInstance(), lasts)
	}},
	{"bridge crashes before a commit", 12, time.Minute, 10 * time.Minute, func(f *fleet, lasts time.Duration) bool {
		i := f.anyInstance()
		return i.link.onNextPublish(publishWait, i.link.cut) && f.crash(i, lasts)
	}},
	{"bridge crashes after a commit", 12, time.Minute, 10 * time.Minute, func(f *fleet, lasts time.Duration) bool {
		i := f.anyInstance()
		if !i.link.onNextPublish(publishWait, i.link.dropReplies) {
			return false
		}
		time.Sleep(time.Millisecond) // in a bubble, time for the server to commit
		return f.crash(i, lasts)
	}},
	{"bridge is frozen", 10, 30 * time.Second, 8 * time.Minute, during(
		func(i *instance) { i.freeze() }, func(i *instance) { i.thaw() })},
	{"bridge is frozen in a commit", 20, 30 * time.Second, 8 * time.Minute, atEvent(
		func(i *instance) { i.freeze() }, func(i *instance) { i.thaw() })},
	{"NATS is held", 10, time.Second, 4 * time.Minute, during(
		func(i *instance) { i.link.pause() }, func(i *instance) { i.link.resume() })},
	{"NATS is held in a commit", 30, time.Second, 4 * time.Minute, atEvent(
		func(i *instance) { i.link.pause() }, func(i *instance) { i.link.resume() })},
	{"NATS is cut off", 10, time.Millisecond, 4 * time.Minute, during(
		func(i *instance) { i.link.cut() }, func(i *instance) { i.link.restore() })},
	{"NATS is cut off in a commit", 40, time.Millisecond, time.Minute, atEvent(
		func(i *instance) { i.link.cut() }, func(i *instance) { i.link.restore() })},
	{"acks are lost", 120, 10 * time.Millisecond, 10 * time.Second, atEvent(
		func(i *instance) { i.link.dropReplies() }, func(i *instance) { i.link.cut(); i.link.passReplies(); i.link.restore() })},
	{"senders are cut off", 20, time.Minute, 10 * time.Minute, during(
		func(i *instance) { i.change(func() { i.cutOff++ }) }, func(i *instance) { i.change(func() { i.cutOff-- }) })},
	{"responses are lost", 60, time.Minute, 10 * time.Minute, during(
		func(i *instance) { i.change(func() { i.lostResponses++ }) }, func(i *instance) { i.change(func() { i.lostResponses-- }) })},
	{"JetStream restarts", 6, time.Second, 4 * time.Minute, func(f *fleet, lasts time.Duration) bool {
		f.server.stop()
		time.Sleep(lasts)
		if err := f.server.start(); err != nil {
			f.t.Error(err)
		}
		return true
	}},
	{"bucket of states is deleted", 3, time.Second, time.Minute, func(f *fleet, _ time.Duration) bool {
		return f.js.DeleteStream(f.life, f.names.StateStream()) == nil
	}},
	{"MK.IO cannot be reached", 6, time.Minute, 20 * time.Minute, replaceMKIO(unreachableMKIO{})},
	{"MK.IO is out of order", 6, time.Minute, 20 * time.Minute, replaceMKIO(unavailableMKIO{})},
	{"token is revoked", 4, time.Minute, 20 * time.Minute, mkioFault(func(m *mkiofake.MKIO, _ string, on bool) { m.Revoke(on) })},
	{"project vanishes", 4, time.Minute, 30 * time.Minute, mkioFault((*mkiofake.MKIO).SetHidden)},
	{"lists are hollow", 4, time.Minute, 30 * time.Minute, mkioFault((*mkiofake.MKIO).SetEmptyLists)},
	{"jobs are forbidden", 4, time.Minute, time.Hour, mkioFault(forbid(lifecycle.Job))},
	{"live events are forbidden", 4, time.Minute, time.Hour, mkioFault(forbid(lifecycle.LiveEvent))},
	{"deliveries storm", 8, time.Second, time.Minute, func(f *fleet, lasts time.Duration) bool {
		f.storm()
		time.Sleep(lasts)
		return true
	}},
}

// publishWait is how long a fault waits for an event to be published.
const publishWait = 2 * time.Hour

// during returns a fault of a random bridge.
func during(begin, end func(*instance)) func(*fleet, time.Duration) bool {
	return func(f *fleet, lasts time.Duration) bool {
		i := f.anyInstance()
		if i.isDead() {
			return false
		}
		begin(i)
		time.Sleep(lasts)
		end(i)
		return true
	}
}

// atEvent returns a fault that begins when a random bridge publishes an event.
func atEvent(begin, end func(*instance)) func(*fleet, time.Duration) bool {
	return func(f *fleet, lasts time.Duration) bool {
		i := f.anyInstance()
		if !i.link.onNextPublish(publishWait, func() { begin(i) }) {
			return false
		}
		time.Sleep(lasts)
		end(i)
		return true
	}
}

// replaceMKIO returns a fault in which something else responds in place of MK.IO.
func replaceMKIO(instead http.RoundTripper) func(*fleet, time.Duration) bool {
	return func(f *fleet, lasts time.Duration) bool {
		f.mu.Lock()
		f.mkioOutage = instead
		f.mu.Unlock()
		time.Sleep(lasts)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.mkioOutage = nil
		return true
	}
}

type unreachableMKIO struct{}

func (unreachableMKIO) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no route to host")
}

type unavailableMKIO struct{}

func (unavailableMKIO) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// mkioFault returns a fault of MK.IO that is switched on and off for a project.
func mkioFault(do func(m *mkiofake.MKIO, project string, on bool)) func(*fleet, time.Duration) bool {
	return func(f *fleet, lasts time.Duration) bool {
		project := draw(f, pick(mkiofake.VOD, mkiofake.Live))
		do(f.fake, project, true)
		time.Sleep(lasts)
		do(f.fake, project, false)
		return true
	}
}

func forbid(kind lifecycle.Kind) func(*mkiofake.MKIO, string, bool) {
	return func(m *mkiofake.MKIO, project string, on bool) { m.Forbid(project, kind, on) }
}

// anyInstance returns a random instance, a running one if there is any.
func (f *fleet) anyInstance() *instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	alive := slices.DeleteFunc(slices.Clone(f.instances), (*instance).isDead)
	if len(alive) == 0 {
		alive = f.instances
	}
	return alive[f.rng.IntN(len(alive))]
}

// crash kills a bridge, and replaces it after a while by one with an empty cache and other settings.
func (f *fleet) crash(i *instance, away time.Duration) bool {
	if !i.crash() {
		return false
	}
	time.Sleep(away)
	f.replace(i, f.nextConfig(false))
	return true
}

// replace runs a new bridge in place of another.
func (f *fleet) replace(i *instance, c config) {
	next := newInstance(f, i.name, c)
	f.mu.Lock()
	f.instances[slices.Index(f.instances, i)] = next
	f.mu.Unlock()
	f.goroutines.Go(next.run)
}

// runFaults injects every fault as often as some hours have it, at least once, and returns when all are over.
func (f *fleet) runFaults(hours int) {
	var running sync.WaitGroup
	for _, fault := range faults {
		for range max(1, fault.perDay*hours/24) {
			at, lasts := f.randomDuration(0, time.Duration(hours)*time.Hour), f.randomDuration(fault.shortest, fault.longest)
			running.Go(func() {
				time.Sleep(at)
				if fault.inject(f, lasts) {
					f.count(fault.name)
				}
			})
		}
	}
	running.Wait()
}

// TestHoursOfMixedFaults has three bridges write one log for six hours with all faults: every invariant holds.
func TestHoursOfMixedFaults(t *testing.T) {
	bridgetest.SkipIfShort(t)
	mixFaults(t, 6)
}

func mixFaults(t *testing.T, hours int) {
	t.Helper()
	defer brokertest.StartServerClock()()
	store := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, store, "a", "b", "c")
		defer f.close()
		f.play(hours)
		f.runFaults(hours)
		f.settle()
		f.check()
		f.checkFaultsOccurred()
	})
}

// checkFaultsOccurred fails when a fault or an expected effect never occurred: the test would prove less than it claims.
func (f *fleet) checkFaultsOccurred() {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.t.Log(f.counts)
	for _, fault := range faults {
		if f.counts[fault.name] == 0 {
			f.t.Errorf("%s: never occurred", fault.name)
		}
	}
	for _, effect := range []string{
		"acknowledgement lost", "write refused", "lease ended", "delivery refused", "delivery sent to two bridges",
		"response lost after the commit", "request to MK.IO failed",
	} {
		if f.counts[effect] == 0 {
			f.t.Errorf("%s: never occurred", effect)
		}
	}
}
