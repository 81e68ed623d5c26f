package main

import (
	"context"
	"slices"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// Times of the demo's days.
const (
	day        = 24 * time.Hour
	pastOfDay  = 8 * time.Hour   // of the first day, when the demo begins
	leastStay  = 2 * time.Second // of a resource in a state: long enough to be seen
	stuckSince = 9 * time.Hour   // before the demo begins
)

// past returns the first day, which began before the demo, and in it resources that nothing moves any more.
func (d consoleDemo) past(now time.Time) []mkiofake.Step {
	script := mkiofake.Day(d.rng, now.Add(-pastOfDay), d.options.jobs)
	stuck := now.Add(-stuckSince)
	for _, s := range []struct {
		key    lifecycle.Key
		states []string
	}{
		{demoKey(lifecycle.Job, mkiofake.VOD, "ladder-hd", "archive-restore-77"), []string{"Queued", "Processing"}},
		{demoKey(lifecycle.LiveChannel, mkiofake.Live, "harbour-cam"), []string{"Pending", "Allocating", "Allocated", "Starting"}},
	} {
		for i, state := range s.states {
			step := mkiofake.Step{At: stuck.Add(time.Duration(i) * 10 * time.Second), Do: mkiofake.Move, Key: s.key, State: state}
			if i == 0 {
				step.Do = mkiofake.Create
			}
			script = append(script, step)
		}
	}
	slices.SortStableFunc(script, func(a, b mkiofake.Step) int { return a.At.Compare(b.At) })
	return script
}

// demoKey returns a key whose names are constants.
func demoKey(kind lifecycle.Kind, project string, names ...string) lifecycle.Key {
	key, err := lifecycle.NewKey(kind, project, names...)
	if err != nil {
		panic(err) // cannot fail
	}
	return key
}

// playDays plays the rest of the first day, and then one day after another, each compressed.
func (d consoleDemo) playDays(ctx context.Context, rest []mkiofake.Step) {
	now := time.Now()
	midnight := now.Add(day - pastOfDay)
	for script, from := rest, now; ; script, from, midnight = mkiofake.Day(d.rng, midnight, d.options.jobs), midnight, midnight.Add(day) {
		d.fake.Play(d.compress(script, from, time.Now()))
		pauseFor(ctx, d.compressed(midnight.Sub(from)))
		if ctx.Err() != nil {
			return
		}
	}
}

// compressed returns how long a part of a day takes.
func (d consoleDemo) compressed(part time.Duration) time.Duration {
	return time.Duration(float64(part) * float64(d.options.within) / float64(day))
}

// compress returns a script whose time from happens at a real time, and that takes the time of a demo's day. Each resource
// stays in each state for some time.
func (d consoleDemo) compress(script []mkiofake.Step, from, at time.Time) []mkiofake.Step {
	last := map[lifecycle.Key]time.Time{}
	compressed := make([]mkiofake.Step, len(script))
	for i, s := range script {
		s.At = at.Add(d.compressed(s.At.Sub(from)))
		if before, ok := last[s.Key]; ok && s.At.Before(before.Add(leastStay)) {
			s.At = before.Add(leastStay)
		}
		last[s.Key] = s.At
		compressed[i] = s
	}
	return compressed
}

// removeOld deletes resources that have not changed for two days, one at a time, as MK.IO's users do: a demo may run for a week.
func (d consoleDemo) removeOld(ctx context.Context) {
	for pauseFor(ctx, leastStay); ctx.Err() == nil; pauseFor(ctx, leastStay) {
		before := time.Now().Add(-2 * d.options.within)
		for key, change := range d.fake.Current() {
			if change.RealTime.Before(before) && !lifecycle.InMotion(key.Kind, change.State, change.Provisioning) {
				d.fake.Play([]mkiofake.Step{{At: d.fake.Now(), Do: mkiofake.Delete, Key: key}}) // skipped if the day did it meanwhile
				break
			}
		}
	}
}
