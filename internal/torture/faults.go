package torture

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"mkio-bridge/internal/mkio/mkiofake"
)

// A fault breaks something, waits, and heals it.
type fault struct {
	name string
	run  func(ctx context.Context, w *world, duration time.Duration) error
	// exclusive faults never run together with another: a majority of intact replicas must remain, or it is not the bridge
	// that loses data.
	exclusive bool
	// possible reports whether the fault can be injected in this setup; nil: always.
	possible func(w *world) bool
}

// commonFaults are faults of bridges and of MK.IO's API.
var commonFaults = []fault{
	{name: "bridge killed", run: func(ctx context.Context, w *world, duration time.Duration) error {
		b := w.anyBridge()
		return w.whileDown(b, func() { b.Kill(); w.reconfigure(b); pause(ctx, duration/4) })
	}},
	{name: "bridge frozen", run: func(ctx context.Context, w *world, duration time.Duration) error {
		b := w.anyBridge()
		b.Signal(syscall.SIGSTOP)
		pause(ctx, duration)
		b.Signal(syscall.SIGCONT)
		return nil
	}},
	{name: "bridges restarted one after the other", run: func(_ context.Context, w *world, _ time.Duration) error {
		for _, b := range w.bridges {
			if err := w.whileDown(b, func() { w.stopGracefully(b); w.reconfigure(b) }); err != nil {
				return err
			}
		}
		return nil
	}},
	{name: "responses to the sender lost", run: func(ctx context.Context, w *world, duration time.Duration) error {
		return w.linkFault(ctx, []*link{w.anyBridge().inbound}, mode{discardResponses: true}, duration/2)
	}},
	{name: "sender cut off", run: func(ctx context.Context, w *world, duration time.Duration) error {
		return w.linkFault(ctx, []*link{w.anyBridge().inbound}, mode{refuse: true}, duration)
	}},
	{name: "sender's link slow", run: func(ctx context.Context, w *world, duration time.Duration) error {
		return w.linkFault(ctx, []*link{w.anyBridge().inbound}, mode{delay: 150 * time.Millisecond}, duration)
	}},
	{name: "MK.IO unreachable", run: func(ctx context.Context, w *world, duration time.Duration) error {
		return w.linkFault(ctx, []*link{w.api}, mode{refuse: true}, duration)
	}},
	{name: "MK.IO silent", run: func(ctx context.Context, w *world, duration time.Duration) error {
		return w.linkFault(ctx, []*link{w.api}, mode{hold: true}, duration)
	}},
	{name: "API token revoked", run: func(ctx context.Context, w *world, duration time.Duration) error {
		w.fake.Revoke(true)
		pause(ctx, duration)
		w.fake.Revoke(false)
		return nil
	}},
	{name: "MK.IO's lists empty", run: func(ctx context.Context, w *world, duration time.Duration) error {
		w.fake.SetEmptyLists(mkiofake.VOD, true)
		pause(ctx, duration)
		w.fake.SetEmptyLists(mkiofake.VOD, false)
		return nil
	}},
	{name: "project vanished", run: func(ctx context.Context, w *world, duration time.Duration) error {
		w.fake.SetHidden(mkiofake.Live, true)
		pause(ctx, duration)
		w.fake.SetHidden(mkiofake.Live, false)
		return nil
	}},
	{name: "bridge's clock stepped", possible: hasClocks, run: func(ctx context.Context, w *world, duration time.Duration) error {
		return w.stepClockFor(ctx, w.anyBridge().clock, duration)
	}},
}

func hasClocks(w *world) bool { return w.config.Clocks }

// linkFault sets links to a mode for a duration.
func (w *world) linkFault(ctx context.Context, links []*link, m mode, duration time.Duration) error {
	for _, l := range links {
		l.set(m)
	}
	pause(ctx, duration)
	for _, l := range links {
		l.set(mode{})
	}
	return nil
}

// stepClockFor steps a clock by seconds to a day, for a duration.
func (w *world) stepClockFor(ctx context.Context, file string, duration time.Duration) error {
	by := []time.Duration{-26 * time.Hour, -time.Hour, -20 * time.Second, 20 * time.Second, time.Hour, 26 * time.Hour}[w.draw(6)]
	if err := stepClock(file, by); err != nil {
		return err
	}
	pause(ctx, duration)
	return stepClock(file, 0)
}

// whileDown calls do while the supervisor does not restart a bridge, and then starts the bridge. do must end it.
func (w *world) whileDown(b *bridge, do func()) error {
	b.starting.Lock()
	defer b.starting.Unlock()
	do()
	if b.Running() {
		return fmt.Errorf("%s is running after it was ended", b.Name)
	}
	return b.Start(w.processCtx)
}

// stopTimeout is how long a bridge may take for a graceful stop.
const stopTimeout = 20 * time.Second

// stopGracefully terminates a bridge. A bridge that does not stop in time is killed, which is a violation.
func (w *world) stopGracefully(b *bridge) {
	if err := b.Stop(syscall.SIGTERM, stopTimeout); err != nil {
		w.report.violation("%v", err)
	}
}

// reconfigure gives a bridge one of the configurations.
func (w *world) reconfigure(b *bridge) { b.configure(w.draw(len(configurations))) }

// selectFaults returns the faults whose names contain one of the words; all if there are none.
func selectFaults(faults []fault, words []string) []fault {
	if len(words) == 0 {
		return faults
	}
	return slices.DeleteFunc(slices.Clone(faults), func(f fault) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return strings.Contains(f.name, word) })
	})
}

// pause waits for a duration, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
