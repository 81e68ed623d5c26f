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

// A fault befalls a fleet, and is over when it returns. It says whether it took place: a bridge that is away
// cannot be frozen.
type fault struct {
	name        string
	daily       int
	least, most time.Duration
	strike      func(f *fleet, lasts time.Duration) bool
}

// faults are what befalls a fleet. They come at any time, and together.
var faults = []fault{
	{"bridge crashes", 6, time.Minute, 10 * time.Minute, func(f *fleet, lasts time.Duration) bool {
		return f.crash(f.anybody(), lasts)
	}},
	{"bridge crashes before a commit", 12, time.Minute, 10 * time.Minute, func(f *fleet, lasts time.Duration) bool {
		i := f.anybody()
		return i.cable.atNextEvent(trapTime, i.cable.cut) && f.crash(i, lasts)
	}},
	{"bridge crashes after a commit", 12, time.Minute, 10 * time.Minute, func(f *fleet, lasts time.Duration) bool {
		i := f.anybody()
		if !i.cable.atNextEvent(trapTime, i.cable.deafen) {
			return false
		}
		time.Sleep(time.Millisecond) // in a bubble, time for the server
		return f.crash(i, lasts)
	}},
	{"bridge is frozen", 10, 30 * time.Second, 8 * time.Minute, during(
		func(i *instance) { i.freeze() }, func(i *instance) { i.thaw() })},
	{"bridge is frozen in a commit", 20, 30 * time.Second, 8 * time.Minute, atEvent(
		func(i *instance) { i.freeze() }, func(i *instance) { i.thaw() })},
	{"NATS is held", 10, time.Second, 4 * time.Minute, during(
		func(i *instance) { i.cable.hold() }, func(i *instance) { i.cable.release() })},
	{"NATS is held in a commit", 30, time.Second, 4 * time.Minute, atEvent(
		func(i *instance) { i.cable.hold() }, func(i *instance) { i.cable.release() })},
	{"NATS is cut off", 10, time.Millisecond, 4 * time.Minute, during(
		func(i *instance) { i.cable.cut() }, func(i *instance) { i.cable.mend() })},
	{"NATS is cut off in a commit", 40, time.Millisecond, time.Minute, atEvent(
		func(i *instance) { i.cable.cut() }, func(i *instance) { i.cable.mend() })},
	{"acks are lost", 120, 10 * time.Millisecond, 10 * time.Second, atEvent(
		func(i *instance) { i.cable.deafen() }, func(i *instance) { i.cable.cut(); i.cable.listen(); i.cable.mend() })},
	{"senders are cut off", 20, time.Minute, 10 * time.Minute, during(
		func(i *instance) { i.change(func() { i.cutOff++ }) }, func(i *instance) { i.change(func() { i.cutOff-- }) })},
	{"answers are lost", 60, time.Minute, 10 * time.Minute, during(
		func(i *instance) { i.change(func() { i.mute++ }) }, func(i *instance) { i.change(func() { i.mute-- }) })},
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
	{"MK.IO cannot be reached", 6, time.Minute, 20 * time.Minute, away(unreachable{})},
	{"MK.IO is out of order", 6, time.Minute, 20 * time.Minute, away(outOfOrder{})},
	{"token is revoked", 4, time.Minute, 20 * time.Minute, mkioDoes(func(m *mkiofake.MKIO, _ string, on bool) { m.Revoke(on) })},
	{"project vanishes", 4, time.Minute, 30 * time.Minute, mkioDoes((*mkiofake.MKIO).Vanish)},
	{"lists are hollow", 4, time.Minute, 30 * time.Minute, mkioDoes((*mkiofake.MKIO).Hollow)},
	{"jobs are forbidden", 4, time.Minute, time.Hour, mkioDoes(forbid(lifecycle.Job))},
	{"live events are forbidden", 4, time.Minute, time.Hour, mkioDoes(forbid(lifecycle.LiveEvent))},
	{"deliveries storm", 8, time.Second, time.Minute, func(f *fleet, lasts time.Duration) bool {
		f.storm()
		time.Sleep(lasts)
		return true
	}},
}

// trapTime is how long a fault that waits for an event to be published waits.
const trapTime = 2 * time.Hour

// during is a fault of any one bridge.
func during(begin, end func(*instance)) func(*fleet, time.Duration) bool {
	return func(f *fleet, lasts time.Duration) bool {
		i := f.anybody()
		if i.isDead() {
			return false
		}
		begin(i)
		time.Sleep(lasts)
		end(i)
		return true
	}
}

// atEvent is a fault that begins when a bridge publishes an event.
func atEvent(begin, end func(*instance)) func(*fleet, time.Duration) bool {
	return func(f *fleet, lasts time.Duration) bool {
		i := f.anybody()
		if !i.cable.atNextEvent(trapTime, func() { begin(i) }) {
			return false
		}
		time.Sleep(lasts)
		end(i)
		return true
	}
}

// away is a fault of MK.IO in which something else answers.
func away(instead http.RoundTripper) func(*fleet, time.Duration) bool {
	return func(f *fleet, lasts time.Duration) bool {
		f.mu.Lock()
		f.away = instead
		f.mu.Unlock()
		time.Sleep(lasts)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.away = nil
		return true
	}
}

type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no route to host")
}

type outOfOrder struct{}

func (outOfOrder) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// mkioDoes is something that MK.IO does with a project for a while.
func mkioDoes(do func(m *mkiofake.MKIO, project string, on bool)) func(*fleet, time.Duration) bool {
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

// anybody is any of the bridges, one that runs if there is one.
func (f *fleet) anybody() *instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	alive := slices.DeleteFunc(slices.Clone(f.instances), (*instance).isDead)
	if len(alive) == 0 {
		alive = f.instances
	}
	return alive[f.rng.IntN(len(alive))]
}

// crash kills a bridge; after a while another runs in its place, with an empty memory and other settings.
func (f *fleet) crash(i *instance, away time.Duration) bool {
	if !i.crash() {
		return false
	}
	time.Sleep(away)
	f.replace(i, f.nextConfig(false))
	return true
}

// replace runs a new bridge in the place of one.
func (f *fleet) replace(i *instance, c config) {
	next := newInstance(f, i.name, c)
	f.mu.Lock()
	f.instances[slices.Index(f.instances, i)] = next
	f.mu.Unlock()
	f.work.Go(next.run)
}

// befall lets every fault happen as often as it does in so many hours, and returns when all are over.
func (f *fleet) befall(hours int) {
	var striking sync.WaitGroup
	for _, fault := range faults {
		for range max(1, fault.daily*hours/24) {
			at, lasts := f.between(0, time.Duration(hours)*time.Hour), f.between(fault.least, fault.most)
			striking.Go(func() {
				time.Sleep(at)
				if fault.strike(f, lasts) {
					f.count(fault.name)
				}
			})
		}
	}
	striking.Wait()
}

// TestHoursOfMixedFaults has three bridges write one log for six hours, while everything around them fails, alone and
// together: every promise holds all the same.
func TestHoursOfMixedFaults(t *testing.T) {
	bridgetest.SkipIfShort(t)
	mixFaults(t, 6)
}

func mixFaults(t *testing.T, hours int) {
	t.Helper()
	defer brokertest.HoldClock()()
	store := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, store, "a", "b", "c")
		defer f.close()
		f.play(hours)
		f.befall(hours)
		f.settle()
		f.check()
		f.checkStruck()
	})
}

// checkStruck fails where a fault never took place: the test would show less than it says.
func (f *fleet) checkStruck() {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.t.Log(f.counts)
	for _, fault := range faults {
		if f.counts[fault.name] == 0 {
			f.t.Errorf("%s: it never came to that", fault.name)
		}
	}
	for _, effect := range []string{
		"acknowledgement lost", "write refused", "lease ended", "delivery refused", "delivery sent to two bridges",
		"answer lost after the commit", "request to MK.IO failed",
	} {
		if f.counts[effect] == 0 {
			f.t.Errorf("%s: it never came to that", effect)
		}
	}
}
