package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"mkio-bridge/internal/mkio/mkiofake"
)

// faultOptions are the faults of a simulated MK.IO that flags switch on.
type faultOptions struct {
	otherOrigin        bool
	cache, replica     time.Duration
	secondOrganization bool
	after              time.Duration
	setClock, outage   time.Duration
	recreate           string
}

// add defines the flags.
func (o *faultOptions) add(cmd *cobra.Command) {
	set := cmd.Flags()
	set.BoolVar(&o.otherOrigin, "other-origin", false, "next-page links have another scheme, host or port")
	set.DurationVar(&o.cache, "cache", 0, "half of the responses are cached copies, up to this old in simulated time")
	set.DurationVar(&o.replica, "replica", 0, "half of the responses come from a replica that lags by up to this in simulated time")
	set.BoolVar(&o.secondOrganization, "second-organization", false, "add a second organisation with projects of the same names; its token is printed")
	set.DurationVar(&o.after, "after", 10*time.Minute, "simulated time before --set-clock, --outage and --recreate-project take effect")
	set.DurationVar(&o.setClock, "set-clock", 0, "shift the simulated clock by this; a negative value sets it back")
	set.DurationVar(&o.outage, "outage", 0, "respond 404 to every request below a project, for this long in simulated time")
	set.StringVar(&o.recreate, "recreate-project", "", "recreate this `PROJECT`: same name, another id, no resources")
	completeFlag(cmd, "recreate-project", fixed(mkiofake.VOD, mkiofake.Live))
}

func (o *faultOptions) check() error {
	switch {
	case o.cache < 0 || o.replica < 0 || o.outage < 0 || o.after < 0:
		return usageError{errors.New("--cache, --replica, --outage and --after must not be negative")}
	case o.recreate != "" && o.recreate != mkiofake.VOD && o.recreate != mkiofake.Live:
		return usageError{fmt.Errorf("--recreate-project: unknown project %q: use %s or %s", o.recreate, mkiofake.VOD, mkiofake.Live)}
	}
	return nil
}

// addLasting adds the faults that last as long as the simulation.
func (o *faultOptions) addLasting(faults *mkiofake.Faults) {
	const often = 0.5
	if o.otherOrigin {
		faults.OtherOrigin = 1
	}
	if o.cache > 0 {
		faults.Cached, faults.CachedBy, faults.CacheOmitsAge, faults.CacheOmitsDate = often, o.cache, 0.2, 0.1
	}
	if o.replica > 0 {
		faults.ReplicaList, faults.ReplicaSingle, faults.ReplicaBy = often, often, o.replica
	}
}

// inject causes the faults that happen once: the clock, the recreated project and the outage.
func (o *faultOptions) inject(ctx context.Context, m *mkiofake.MKIO, speed float64) {
	pauseFor(ctx, time.Duration(float64(o.after)/speed))
	if ctx.Err() != nil {
		return
	}
	m.SetClock(o.setClock)
	if o.recreate != "" {
		m.RecreateProject(o.recreate)
	}
	if o.outage > 0 {
		m.Outage(mkiofake.VOD, true)
		m.Outage(mkiofake.Live, true)
		pauseFor(ctx, time.Duration(float64(o.outage)/speed))
		m.Outage(mkiofake.VOD, false)
		m.Outage(mkiofake.Live, false)
	}
}
