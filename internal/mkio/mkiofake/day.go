package mkiofake

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// Day scripts a day that begins at start, with resources of every kind: jobs encode, fail and are canceled, their outputs
// are published, policies and endpoints come and go, channels and live events go on air and off. jobs is the number of jobs;
// the other numbers grow with it. Names contain the date where the scripts of two days would otherwise collide; channels and
// the like have the same names every day, and those that still exist continue.
func Day(rng *rand.Rand, start time.Time, jobs int) []Step {
	d := &day{rng: rng, start: start.UTC()}
	for i := range jobs {
		d.job(d.datedName("ep", i), d.randomTime(0, 20*time.Hour))
	}
	d.reusedJob(d.datedName("nightly-promo", 0))
	for i := range 1 + jobs/10 {
		d.policy(d.datedName("drm", i))
		d.mediaEvent(fmt.Sprintf("regatta-cam%d", i+1))
		d.endpoint(fmt.Sprintf("edge-%d", i+1))
		for _, kind := range liveKinds {
			d.flow(kind, fmt.Sprintf("%s-%d", flowNames[kind], i+1))
		}
		for _, kind := range []lifecycle.Kind{lifecycle.Source, lifecycle.Content, lifecycle.Destination} {
			d.input(kind, fmt.Sprintf("%s-%d", kind, i+1))
		}
	}
	for i := range 1 + jobs/10 {
		d.storage(fmt.Sprintf("store%d", i+1))
	}
	slices.SortStableFunc(d.steps, func(a, b Step) int { return a.At.Compare(b.At) })
	return d.steps
}

var flowNames = map[lifecycle.Kind]string{
	lifecycle.LiveChannel: "news", lifecycle.LiveAPIEvent: "match",
	lifecycle.StaticMultiviewChannel: "wall", lifecycle.StaticMultiviewEvent: "derby-quad",
}

// A day builds a script.
type day struct {
	rng   *rand.Rand
	start time.Time
	steps []Step
}

// A thread appends the steps of one resource, one after another.
type thread struct {
	day *day
	key lifecycle.Key
	at  time.Time
}

func (d *day) thread(at time.Time, kind lifecycle.Kind, project string, names ...string) *thread {
	key, err := lifecycle.NewKey(kind, project, names...)
	if err != nil {
		panic(err) // cannot fail: names are constants
	}
	return &thread{d, key, at}
}

func (t *thread) do(action Action, state string) *thread {
	t.day.steps = append(t.day.steps, Step{At: t.at, Do: action, Key: t.key, State: state})
	return t
}

func (t *thread) create(state string) *thread { return t.do(Create, state) }
func (t *thread) move(state string) *thread   { return t.do(Move, state) }
func (t *thread) remove() *thread             { return t.do(Delete, "") }

// after advances by a random duration.
func (t *thread) after(from, to time.Duration) *thread {
	t.at = t.at.Add(t.day.between(from, to))
	return t
}

// soon advances by a few seconds.
func (t *thread) soon() *thread { return t.after(2*time.Second, 20*time.Second) }

// until advances to a time, if it is later.
func (t *thread) until(at time.Time) *thread {
	if at.After(t.at) {
		t.at = at
	}
	return t
}

func (d *day) datedName(name string, i int) string {
	return fmt.Sprintf("%s-%s-%04d", name, d.start.Format("0102"), i+1)
}

// randomTime returns a time between two offsets from midnight.
func (d *day) randomTime(from, to time.Duration) time.Time { return d.start.Add(d.between(from, to)) }

func (d *day) between(from, to time.Duration) time.Duration {
	return (from + time.Duration(d.rng.Int64N(int64(to-from)))).Truncate(time.Microsecond)
}

// oneIn is true with probability 1/n.
func (d *day) oneIn(n int) bool { return d.rng.IntN(n) == 0 }

// job scripts a job with its input and output assets and its locator.
func (d *day) job(name string, created time.Time) *thread {
	d.asset(name+"-src", created.Add(-d.between(time.Minute, 2*time.Minute)))
	t := d.thread(created, lifecycle.Job, VOD, "ladder-hd", name).create("Queued")
	if d.oneIn(20) { // canceled before it began
		return t.soon().move("Canceled")
	}
	if d.oneIn(2) {
		t.soon().move("Scheduled")
	}
	t.soon().move("Processing").after(2*time.Minute, 40*time.Minute)
	switch p := d.rng.IntN(20); {
	case p < 2:
		t.move("Error")
	case p < 4:
		t.move("Canceling").soon().move("Canceled")
	default:
		t.move("Finished")
		d.asset(name+"-out", t.at.Add(-time.Minute))
		d.locator(name+"-pub", t.at.Add(d.between(time.Second, time.Minute)))
	}
	if d.oneIn(5) {
		after := *t
		after.after(10*time.Minute, 2*time.Hour).remove()
	}
	return t
}

// reusedJob scripts three jobs under one name, one after the other.
func (d *day) reusedJob(name string) {
	t := d.thread(d.randomTime(time.Hour, 2*time.Hour), lifecycle.Job, VOD, "ladder-hd", name)
	for range 2 {
		t.create("Queued").soon().move("Processing").after(5*time.Minute, 20*time.Minute).move("Finished")
		t.after(time.Minute, time.Hour).remove().after(time.Minute, time.Hour)
	}
	t.create("Queued").soon().move("Processing")
	t.until(t.at.Add(12 * time.Minute)).move("Finished") // or the job would seem stuck to who waits for it
}

func (d *day) asset(name string, at time.Time) {
	t := d.thread(at, lifecycle.Asset, VOD, name).create("Pending").soon().move("Ready")
	if d.oneIn(10) {
		t.soon().do(Edit, "")
	}
	if d.oneIn(4) {
		t.after(2*time.Hour, 6*time.Hour).remove()
	}
}

func (d *day) locator(name string, at time.Time) {
	t := d.thread(at, lifecycle.StreamingLocator, VOD, name).create("Creating").soon()
	if d.oneIn(15) {
		t.move("Error")
		return
	}
	t.move("Created")
	if d.oneIn(4) {
		t.after(time.Hour, 4*time.Hour).move("Deleting").soon().remove()
	}
}

func (d *day) policy(name string) {
	t := d.thread(d.randomTime(0, 12*time.Hour), lifecycle.ContentKeyPolicy, VOD, name).create("Creating").soon().move("Created")
	if d.oneIn(2) {
		t.after(2*time.Hour, 10*time.Hour).move("Deleting").soon().remove()
	}
}

// mediaEvent scripts a live event of the Media API, with an output while it runs.
func (d *day) mediaEvent(name string) {
	t := d.thread(d.randomTime(5*time.Hour, 9*time.Hour), lifecycle.LiveEvent, Live, name).create("Stopped")
	t.after(time.Minute, time.Hour).move("Starting").soon().move("Running")
	output := d.thread(t.at, lifecycle.LiveOutput, Live, name, "dvr").soon().create("Creating").soon().move("Running")
	output.after(time.Hour, 4*time.Hour).move("Deleting").soon().remove()
	t.until(output.at).soon().move("Stopping").soon().move("Stopped")
	if d.oneIn(2) {
		t.after(time.Minute, time.Hour).move("Deleting").soon().remove()
	}
}

// endpoint is a streaming endpoint for a day.
func (d *day) endpoint(name string) {
	t := d.thread(d.randomTime(0, 4*time.Hour), lifecycle.StreamingEndpoint, VOD, name).create("Creating").soon().move("Stopped")
	if d.oneIn(3) {
		t.soon().do(Provision, "Failed").after(time.Minute, 10*time.Minute).do(Provision, "Succeeded")
	}
	t.soon().move("Starting").after(time.Minute, 5*time.Minute).move("Running")
	t.after(time.Hour, 6*time.Hour).move("Scaling").after(time.Minute, 5*time.Minute).move("Running")
	t.after(time.Hour, 10*time.Hour).move("Stopping").soon().move("Stopped")
	if d.oneIn(2) {
		t.after(time.Minute, time.Hour).move("Deleting").soon().remove()
	}
}

// flow scripts a resource of the Live API: on air from morning to night, some after a failed start.
func (d *day) flow(kind lifecycle.Kind, name string) {
	t := d.thread(d.randomTime(4*time.Hour, 6*time.Hour), kind, Live, name).create("")
	t.soon().move("Pending").after(time.Minute, time.Hour)
	onAir := func() {
		t.move("Allocating").soon().move("Allocated").soon().move("Starting").after(20*time.Second, 2*time.Minute)
	}
	onAir()
	if d.oneIn(3) {
		t.move("UnableToStart").after(5*time.Minute, 20*time.Minute).move("Stopping").soon().move("Stopped").soon()
		onAir()
	}
	t.move("Running")
	if kind != lifecycle.StaticMultiviewEvent {
		d.operation(kind, name, t.at)
	}
	if d.oneIn(3) {
		t.after(time.Hour, 2*time.Hour).move("Updating").soon().move("Running")
	}
	t.until(d.randomTime(20*time.Hour, 23*time.Hour)).move("Stopping").soon().move("Stopped")
	if d.oneIn(2) {
		t.soon().move("Deleting").soon().remove()
	}
}

// operation scripts a scheduled operation of a resource of the Live API.
func (d *day) operation(kind lifecycle.Kind, parent string, at time.Time) {
	t := d.thread(at, lifecycle.ScheduledOperation, Live, string(kind), parent, d.datedName("window", 0)).soon().create("Pending")
	t.soon().move("Accepted").after(time.Hour, 2*time.Hour)
	if d.oneIn(6) {
		t.move("Errored")
		return
	}
	t.move("Ongoing").after(time.Hour, 3*time.Hour).move("Completed")
	if d.oneIn(2) {
		t.after(time.Minute, time.Hour).remove()
	}
}

// storage scripts a storage with a private link, whose credential expires and is replaced.
func (d *day) storage(name string) {
	t := d.thread(d.randomTime(0, 4*time.Hour), lifecycle.Storage, VOD, name).create("Creating").soon().move("Pending")
	t.after(time.Minute, time.Hour).move("Running")
	t.after(time.Hour, 4*time.Hour).do(Provision, "Failed").after(10*time.Minute, time.Hour).do(Provision, "")
	if d.oneIn(2) {
		t.after(time.Hour, 4*time.Hour).move("Deleting").soon().remove()
	}
}

// input scripts a source, content or destination that is active for a while.
func (d *day) input(kind lifecycle.Kind, name string) {
	t := d.thread(d.randomTime(0, 4*time.Hour), kind, Live, name).create("Inactive")
	t.after(time.Hour, 4*time.Hour).move("Active").after(time.Hour, 10*time.Hour).move("Inactive")
	if d.oneIn(3) {
		t.after(time.Minute, time.Hour).remove()
	}
}
