package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"mkio-bridge/internal/mkio/mkiofake"
)

// mishaps are what befalls a simulated MK.IO on demand.
type mishaps struct {
	otherOrigin        bool
	cache, replica     time.Duration
	secondOrganization bool
	after              time.Duration
	setClock, outage   time.Duration
	anew               string
}

func mishapFlags(set *flag.FlagSet) *mishaps {
	p := &mishaps{}
	set.BoolVar(&p.otherOrigin, "other-origin", false, "links to next pages lead to another scheme, host or port")
	set.DurationVar(&p.cache, "cache", 0, "half of the answers are a cache's copies, up to so old on its clock")
	set.DurationVar(&p.replica, "replica", 0, "half of the answers are a replica's that lags by up to so much on its clock")
	set.BoolVar(&p.secondOrganization, "second-organization", false, "another organisation has projects of the same names; its token is printed")
	set.DurationVar(&p.after, "after", 10*time.Minute, "how long it runs on its clock before the following happen")
	set.DurationVar(&p.setClock, "set-clock", 0, "its clock is set by so much, back where that is negative")
	set.DurationVar(&p.outage, "outage", 0, "everything below its projects is answered 404 for so long on its clock")
	set.StringVar(&p.anew, "anew", "", "a project is made anew: with the same name, another id and nothing in it")
	return p
}

func (p *mishaps) check() error {
	switch {
	case p.cache < 0 || p.replica < 0 || p.outage < 0 || p.after < 0:
		return usageError{errors.New("--cache, --replica, --outage and --after must not be negative")}
	case p.anew != "" && p.anew != mkiofake.VOD && p.anew != mkiofake.Live:
		return usageError{fmt.Errorf("--anew: there is no project %q: %s and %s exist", p.anew, mkiofake.VOD, mkiofake.Live)}
	}
	return nil
}

// addTo adds the faults that last.
func (p *mishaps) addTo(faults *mkiofake.Faults) {
	const often = 0.5
	if p.otherOrigin {
		faults.OtherOrigin = 1
	}
	if p.cache > 0 {
		faults.Cached, faults.CachedBy, faults.Ageless, faults.Dateless = often, p.cache, 0.2, 0.1
	}
	if p.replica > 0 {
		faults.ReplicaList, faults.ReplicaOne, faults.ReplicaBy = often, often, p.replica
	}
}

// befall makes happen what happens once.
func (p *mishaps) befall(ctx context.Context, m *mkiofake.MKIO, speed float64) {
	pauseFor(ctx, time.Duration(float64(p.after)/speed))
	if ctx.Err() != nil {
		return
	}
	m.SetClock(p.setClock)
	if p.anew != "" {
		m.Anew(p.anew)
	}
	if p.outage > 0 {
		m.Outage(mkiofake.VOD, true)
		m.Outage(mkiofake.Live, true)
		pauseFor(ctx, time.Duration(float64(p.outage)/speed))
		m.Outage(mkiofake.VOD, false)
		m.Outage(mkiofake.Live, false)
	}
}
