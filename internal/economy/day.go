package economy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// Project is the project of all resources.
const Project = mkiofake.VOD

// A Size says how much exists and happens on a day.
type Size struct {
	Resources int // at rest when the day begins
	Jobs      int // encoded on the day, each with an output asset and a locator; an old one of each is deleted
	Sessions  int // live sessions: a live event with a recording, and a channel with a scheduled operation
	Burst     int // jobs submitted within ten seconds, in the middle of the day
	Length    time.Duration
	WorkUntil time.Duration // jobs and sessions begin before
}

// A Day is a script for the simulated MK.IO.
type Day struct {
	Rest  []mkiofake.Step // what exists when it begins
	Steps []mkiofake.Step // the changes
}

// The days of the table in docs/performance.md: working days of eight hours. Nothing changes in the last hour, so that each
// way can finish.
var (
	Idle  = Size{Resources: 10_000, Length: workingDay}
	Quiet = Size{Resources: 10_000, Jobs: 40, Sessions: 2, Length: workingDay, WorkUntil: workTime}
	Busy  = Size{Resources: 10_000, Jobs: 1_000, Sessions: 20, Length: workingDay, WorkUntil: workTime}
	Burst = Size{Resources: 10_000, Jobs: 40, Sessions: 2, Burst: 5_000, Length: workingDay, WorkUntil: workTime}
)

const (
	workingDay = 8 * time.Hour
	workTime   = 4 * time.Hour
)

// NewDay scripts a day that begins at a time.
func NewDay(s Size, seed uint64, begin time.Time) Day {
	d := &script{rng: rand.New(rand.NewPCG(seed, 0)), size: s, begin: begin}
	d.populate()
	rest := d.steps
	d.steps = nil
	for i := range s.Jobs {
		d.job(numbered("episode", i), d.workTime())
		d.deleteOld(i)
	}
	for i := range s.Sessions {
		d.liveEvent(numbered("camera", i), d.workTime())
		d.channel(numbered("news", i), d.workTime())
	}
	for i := range s.Burst {
		d.burstJob(numbered("archive", i), s.Length/2)
	}
	slices.SortStableFunc(d.steps, func(a, b mkiofake.Step) int { return a.At.Compare(b.At) })
	return Day{Rest: rest, Steps: d.steps}
}

// A script is a day in the making.
type script struct {
	rng   *rand.Rand
	size  Size
	begin time.Time
	steps []mkiofake.Step
}

// populate creates what exists when the day begins, all of it at rest.
func (d *script) populate() {
	few := max(d.size.Sessions, d.size.Resources/500)
	for i := range few {
		d.at(0, lifecycle.ContentKeyPolicy, numbered("keys", i)).create("Created")
		d.at(0, lifecycle.StreamingEndpoint, numbered("edge", i)).create("Running")
		d.at(0, lifecycle.LiveEvent, numbered("camera", i)).create("Stopped")
		d.at(0, lifecycle.LiveChannel, numbered("news", i)).create("Stopped")
	}
	for i := range (d.size.Resources - 4*few) / 3 {
		name := numbered("old", i)
		d.at(0, lifecycle.Asset, outputOf(name)).create("Ready")
		d.at(0, lifecycle.Job, "ladder-hd", name).create("Finished")
		d.at(0, lifecycle.StreamingLocator, name).create("Created")
	}
	for i := len(d.steps); i < d.size.Resources; i++ {
		d.at(0, lifecycle.Asset, numbered("still", i)).create("Ready")
	}
}

// job scripts a job with its output asset and its locator.
func (d *script) job(name string, at time.Duration) {
	d.at(at, lifecycle.Asset, outputOf(name)).create("Pending")
	t := d.at(at, lifecycle.Job, "ladder-hd", name).create("Queued").soon()
	if d.rng.IntN(2) == 0 {
		t.move("Scheduled").soon()
	}
	t.move("Processing").after(d.share(240), d.share(12)) // of eight hours: 2 to 40 minutes
	if d.rng.IntN(10) == 0 {
		t.move("Error")
		return
	}
	t.move("Finished")
	d.at(t.offset, lifecycle.Asset, outputOf(name)).soon().move("Ready")
	d.at(t.offset, lifecycle.StreamingLocator, name).soon().create("Creating").soon().move("Created")
}

// outputOf returns the name of the asset that the simulated MK.IO's record of a job has as its output.
func outputOf(job string) string { return job + "-out" }

// share returns an n-th of the day's length: what takes minutes or hours takes less on a shorter day.
func (d *script) share(n int) time.Duration { return d.size.Length / time.Duration(n) }

// deleteOld deletes the i-th old job, with its asset and its locator, while there are any.
func (d *script) deleteOld(i int) {
	at, name := d.workTime(), numbered("old", i)
	d.at(at, lifecycle.StreamingLocator, name).remove()
	d.at(at, lifecycle.Job, "ladder-hd", name).soon().remove()
	d.at(at, lifecycle.Asset, outputOf(name)).soon().remove()
}

// burstJob scripts one of many jobs that are submitted together.
func (d *script) burstJob(name string, at time.Duration) {
	t := d.at(at, lifecycle.Job, "ladder-hd", name).after(0, 10*time.Second).create("Queued")
	t.after(30*time.Second, 90*time.Second).move("Processing")
	t.after(d.share(96), d.share(32)).move("Finished") // of eight hours: 5 to 15 minutes
}

// liveEvent scripts a session of a live event, with an output that records it.
func (d *script) liveEvent(name string, at time.Duration) {
	t := d.at(at, lifecycle.LiveEvent, name).move("Starting").after(20*time.Second, 2*time.Minute).move("Running")
	output := d.at(t.offset, lifecycle.LiveOutput, name, "recording").soon().create("Creating").soon().move("Running")
	output.after(d.share(8), d.share(3)).move("Deleting").soon().remove()
	t.offset = output.offset
	t.soon().move("Stopping").soon().move("Stopped")
}

// channel scripts a session of a channel, with a scheduled operation.
func (d *script) channel(name string, at time.Duration) {
	t := d.at(at, lifecycle.LiveChannel, name).move("Allocating").soon().move("Allocated").soon()
	t.move("Starting").after(20*time.Second, 2*time.Minute).move("Running")
	window := d.at(t.offset, lifecycle.ScheduledOperation, string(lifecycle.LiveChannel), name, "window").soon().create("Pending")
	window.soon().move("Accepted").after(d.share(24), d.share(12)).move("Ongoing").after(d.share(24), d.share(12)).move("Completed")
	t.offset = window.offset
	t.after(d.share(240), d.share(24)).move("Stopping").soon().move("Stopped")
}

// A thread appends the steps of one resource, one after another.
type thread struct {
	script *script
	key    lifecycle.Key
	offset time.Duration
}

func (d *script) at(offset time.Duration, kind lifecycle.Kind, names ...string) *thread {
	key, err := lifecycle.NewKey(kind, Project, names...)
	if err != nil {
		panic(err) // cannot fail: names are constants
	}
	return &thread{d, key, offset}
}

func (t *thread) do(action mkiofake.Action, state string) *thread {
	t.script.steps = append(t.script.steps, mkiofake.Step{At: t.script.begin.Add(t.offset), Do: action, Key: t.key, State: state})
	return t
}

func (t *thread) create(state string) *thread { return t.do(mkiofake.Create, state) }
func (t *thread) move(state string) *thread   { return t.do(mkiofake.Move, state) }
func (t *thread) remove()                     { t.do(mkiofake.Delete, "") }

// after advances by a random duration.
func (t *thread) after(least, most time.Duration) *thread {
	t.offset += t.script.between(least, most)
	return t
}

// soon advances by a few seconds.
func (t *thread) soon() *thread { return t.after(2*time.Second, 20*time.Second) }

// workTime returns a random time of work.
func (d *script) workTime() time.Duration { return d.between(0, d.size.WorkUntil) }

func (d *script) between(least, most time.Duration) time.Duration {
	return (least + time.Duration(d.rng.Int64N(int64(most-least)))).Truncate(time.Microsecond)
}

func numbered(name string, i int) string { return fmt.Sprintf("%s-%05d", name, i) }
