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

// A fault breaks something, lets some time pass, and mends it again.
type fault struct {
	name string
	do   func(ctx context.Context, w *world, lasts time.Duration) error
	// alone: no other fault at the same time. A majority of sound copies must be left, or it is not the bridge that loses.
	alone bool
	// possible says whether the fault can be made here; nil: always.
	possible func(w *world) bool
}

// Of any bridge and of what it asks MK.IO.
var commonFaults = []fault{
	{name: "bridge killed", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		b := w.anyBridge()
		return w.without(b, func() { b.Kill(); w.reconfigure(b); pause(ctx, lasts/4) })
	}},
	{name: "bridge frozen", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		b := w.anyBridge()
		b.Signal(syscall.SIGSTOP)
		pause(ctx, lasts)
		b.Signal(syscall.SIGCONT)
		return nil
	}},
	{name: "bridges restarted one after the other", do: func(_ context.Context, w *world, _ time.Duration) error {
		for _, b := range w.bridges {
			if err := w.without(b, func() { w.stopWell(b); w.reconfigure(b) }); err != nil {
				return err
			}
		}
		return nil
	}},
	{name: "answers to the sender lost", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		return w.linkFault(ctx, []*link{w.anyBridge().inbound}, mode{swallow: true}, lasts/2)
	}},
	{name: "sender cut off", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		return w.linkFault(ctx, []*link{w.anyBridge().inbound}, mode{refuse: true}, lasts)
	}},
	{name: "sender's link slow", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		return w.linkFault(ctx, []*link{w.anyBridge().inbound}, mode{delay: 150 * time.Millisecond}, lasts)
	}},
	{name: "MK.IO unreachable", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		return w.linkFault(ctx, []*link{w.api}, mode{refuse: true}, lasts)
	}},
	{name: "MK.IO silent", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		return w.linkFault(ctx, []*link{w.api}, mode{hold: true}, lasts)
	}},
	{name: "API token revoked", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		w.fake.Revoke(true)
		pause(ctx, lasts)
		w.fake.Revoke(false)
		return nil
	}},
	{name: "MK.IO's lists empty", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		w.fake.Hollow(mkiofake.VOD, true)
		pause(ctx, lasts)
		w.fake.Hollow(mkiofake.VOD, false)
		return nil
	}},
	{name: "project vanished", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		w.fake.Vanish(mkiofake.Live, true)
		pause(ctx, lasts)
		w.fake.Vanish(mkiofake.Live, false)
		return nil
	}},
	{name: "bridge's clock stepped", possible: hasClocks, do: func(ctx context.Context, w *world, lasts time.Duration) error {
		return w.stepped(ctx, w.anyBridge().clock, lasts)
	}},
}

func hasClocks(w *world) bool { return w.config.Clocks }

// linkFault sets links to a mode for a while.
func (w *world) linkFault(ctx context.Context, links []*link, m mode, lasts time.Duration) error {
	for _, l := range links {
		l.set(m)
	}
	pause(ctx, lasts)
	for _, l := range links {
		l.set(mode{})
	}
	return nil
}

// stepped has a clock wrong for a while, hours ahead or behind.
func (w *world) stepped(ctx context.Context, file string, lasts time.Duration) error {
	by := []time.Duration{-26 * time.Hour, -time.Hour, -20 * time.Second, 20 * time.Second, time.Hour, 26 * time.Hour}[w.draw(6)]
	if err := stepClock(file, by); err != nil {
		return err
	}
	pause(ctx, lasts)
	return stepClock(file, 0)
}

// without does something while nobody starts a bridge again, and then starts it.
func (w *world) without(b *bridge, do func()) error {
	b.down.Lock()
	defer b.down.Unlock()
	do()
	if b.Running() {
		return fmt.Errorf("%s runs, though it was ended", b.Name)
	}
	return b.Start(w.living)
}

// stopTime is how long a bridge may take to stop when it is told to.
const stopTime = 20 * time.Second

// stopWell tells a bridge to stop. One that does not is killed, and has failed.
func (w *world) stopWell(b *bridge) {
	if err := b.Stop(syscall.SIGTERM, stopTime); err != nil {
		w.report.bad("%v", err)
	}
}

// reconfigure gives a bridge one of the configurations, the standard one included.
func (w *world) reconfigure(b *bridge) { b.configure(w.draw(len(versions))) }

// named returns the faults whose names have one of the words; all when there are none.
func named(faults []fault, words []string) []fault {
	if len(words) == 0 {
		return faults
	}
	return slices.DeleteFunc(slices.Clone(faults), func(f fault) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return strings.Contains(f.name, word) })
	})
}

// pause lets time pass.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
