package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// scenesEvery is how often the scenes happen.
const scenesEvery = 5 * time.Minute

// A scene is something that goes wrong in MK.IO, so that every screen of the console has something to show. number makes its
// names unique.
type scene func(d consoleDemo, ctx context.Context, number int)

var scenes = []scene{
	consoleDemo.failedJob, consoleDemo.lateDelivery, consoleDemo.lostDelivery, consoleDemo.reusedName, consoleDemo.failedOperation,
	consoleDemo.failedProvisioning, consoleDemo.forbiddenKind, consoleDemo.unknownDelivery,
}

// playScenes plays all scenes at once, again and again until the context ends.
func (d consoleDemo) playScenes(ctx context.Context) {
	for number := 1; ctx.Err() == nil; number++ {
		next := time.After(scenesEvery)
		var group errgroup.Group
		for _, s := range scenes {
			group.Go(func() error { s(d, ctx, number); return nil })
		}
		_ = group.Wait() // scenes return no error
		select {
		case <-next:
		case <-ctx.Done():
		}
	}
}

// sceneJob returns the key of a scene's job.
func sceneJob(name string, number int) lifecycle.Key {
	return demoKey(lifecycle.Job, mkiofake.VOD, "ladder-hd", fmt.Sprintf("%s-%02d", name, number))
}

// goThrough creates a resource in the first of some states and moves it through the others.
func (d consoleDemo) goThrough(ctx context.Context, key lifecycle.Key, stay time.Duration, states ...string) {
	for i, state := range states {
		if i == 0 {
			d.fake.Create(key, state)
		} else {
			d.fake.Move(key, state)
		}
		pauseFor(ctx, stay)
	}
}

// withFaults makes changes during which MK.IO has other faults.
func (d consoleDemo) withFaults(change func(*mkiofake.Faults), do func()) {
	faults := consoleFaults
	change(&faults)
	d.fake.SetFaults(faults)
	do()
	d.fake.SetFaults(consoleFaults)
}

// failedJob is a job that fails, with errors in its record.
func (d consoleDemo) failedJob(ctx context.Context, number int) {
	d.goThrough(ctx, sceneJob("trailer", number), leastStay, "Queued", "Processing", "Error")
}

// lateDelivery is a job whose end is delivered before its beginning.
func (d consoleDemo) lateDelivery(ctx context.Context, number int) {
	key := sceneJob("late-show", number)
	d.goThrough(ctx, key, 3*leastStay, "Queued")
	d.withFaults(func(f *mkiofake.Faults) { *f = mkiofake.Faults{Late: 1, LateBy: 3 * leastStay} }, func() { d.fake.Move(key, "Processing") })
	d.withFaults(func(f *mkiofake.Faults) { *f = mkiofake.Faults{} }, func() { d.fake.Move(key, "Finished") })
}

// lostDelivery is a job whose deliveries do not arrive: polling finds its states.
func (d consoleDemo) lostDelivery(ctx context.Context, number int) {
	key := sceneJob("documentary", number)
	d.goThrough(ctx, key, leastStay, "Queued")
	for _, state := range []string{"Processing", "Finished"} {
		d.withFaults(func(f *mkiofake.Faults) { *f = mkiofake.Faults{Dropped: 1} }, func() { d.fake.Move(key, state) })
		pauseFor(ctx, 5*leastStay)
	}
}

// reusedName is a job that is deleted, and another one of the same name.
func (d consoleDemo) reusedName(ctx context.Context, number int) {
	key := sceneJob("weather", number)
	d.goThrough(ctx, key, leastStay, "Queued", "Processing", "Finished")
	d.fake.Delete(key)
	d.goThrough(ctx, key, leastStay, "Queued", "Processing", "Finished")
}

// failedOperation is a scheduled operation that fails.
func (d consoleDemo) failedOperation(ctx context.Context, number int) {
	name := fmt.Sprintf("studio-%02d", number)
	d.fake.Create(demoKey(lifecycle.LiveChannel, mkiofake.Live, name), "Running")
	key := demoKey(lifecycle.ScheduledOperation, mkiofake.Live, string(lifecycle.LiveChannel), name, "evening-switch")
	d.goThrough(ctx, key, leastStay, "Pending", "Accepted", "Ongoing", "Errored")
}

// failedProvisioning is a live event whose provisioning fails while its state stays the same.
func (d consoleDemo) failedProvisioning(ctx context.Context, number int) {
	key := demoKey(lifecycle.LiveEvent, mkiofake.Live, fmt.Sprintf("drone-%02d", number))
	d.goThrough(ctx, key, 2*leastStay, "Stopped", "Starting")
	d.fake.Play([]mkiofake.Step{{At: d.fake.Now(), Do: mkiofake.Provision, Key: key, State: "Failed"}})
}

// forbiddenKind is a kind that the token may not read for longer than a full sweep takes to come: a gap of coverage.
func (d consoleDemo) forbiddenKind(ctx context.Context, _ int) {
	d.forbid(true)
	defer d.forbid(false)
	pauseFor(ctx, d.bridge.config.PollFull*3/2)
}

// forbid makes MK.IO refuse to list a kind, or ends that.
func (d consoleDemo) forbid(on bool) {
	d.fake.Forbid(mkiofake.VOD, lifecycle.StreamingEndpoint, on)
}

// unknownDelivery is a delivery of a type that the bridge does not know.
func (d consoleDemo) unknownDelivery(ctx context.Context, number int) {
	pauseFor(ctx, leastStay)
	body := fmt.Appendf(nil, `{"specversion":"1.0","id":"thumbnail-%d","type":"MediaKind.ThumbnailCreated","time":%q,`+
		`"source":"/api/v1/projects/%s/media/thumbnails/frame-%[1]d","data":{"projectName":%[3]q,"state":"Created"}}`,
		number, d.fake.Now().Format(time.RFC3339), mkiofake.VOD)
	if err := d.deliver(ctx, body); err != nil && ctx.Err() == nil {
		d.bridge.log.Warn("delivery of an unknown type failed", "error", err)
	}
}
