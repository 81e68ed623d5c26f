//go:build unix

package poll

import (
	"sync/atomic"
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// A countedCache counts how many resources the poller reads from the log's cache, and how many the cache lists to it.
type countedCache struct {
	Heads
	Inventory
	read, listed atomic.Int64
}

func (c *countedCache) Last(resource string) *lifecycle.Fact {
	c.read.Add(1)
	return c.Heads.Last(resource)
}

func (c *countedCache) Living(kind lifecycle.Kind, project string) []string {
	return c.counted(c.Inventory.Living(kind, project))
}

func (c *countedCache) InMotion(kind lifecycle.Kind, project string) []string {
	return c.counted(c.Inventory.InMotion(kind, project))
}

func (c *countedCache) counted(resources []string) []string {
	c.listed.Add(int64(len(resources)))
	return resources
}

func newCountedProject(t *testing.T) (*project, *countedCache) {
	t.Helper()
	p := newScaleProject(t, 3000)
	cache := &countedCache{Heads: p.heads, Inventory: p.inventory}
	p.heads, p.inventory = cache, cache
	return p, cache
}

// total returns how many resources were read or listed since it was last called.
func (c *countedCache) total() int { return int(c.read.Swap(0) + c.listed.Swap(0)) }

// The price of a tick, and of a sweep below one parent, is that of what changed, however many resources are known.
func TestTheSchedulerReadsOnlyWhatChanged(t *testing.T) {
	p, cache := newCountedProject(t)
	events := []lifecycle.Observation{
		scaleObservation(scaleKey(t, lifecycle.Job, "ladder", "moving-000000"), "Finished"),
		scaleObservation(scaleKey(t, lifecycle.Job, "ladder", "another"), "Queued"),
		scaleObservation(scaleKey(t, lifecycle.LiveOutput, "studio-0", "another"), "Running"),
	}
	for _, o := range events {
		if _, err := p.scheduler.full.reporter.observer.Observe(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	p.scheduler.startDue(t.Context())
	if n := cache.total(); n > 2*len(events) { // motions and families read each once
		t.Errorf("after %d events a tick read %d resources", len(events), n)
	}
	if moving, _ := p.scheduler.motions.ofList(p.lists.projectLists[0]); len(moving) != scaleInMotion {
		t.Errorf("%d jobs are in motion, want %d", len(moving), scaleInMotion)
	}
	p.scheduler.startDue(t.Context())
	if n := cache.total(); n > 0 {
		t.Errorf("a tick without an event read %d resources", n)
	}
	if n := len(p.lists.due(time.Now())); n != len(p.lists.projectLists) {
		t.Errorf("a tick checked %d lists, want only the %d of the whole project", n, len(p.lists.projectLists))
	}
	below := p.lists.listBelow(scaleKey(t, lifecycle.LiveEvent, "camera-0"))
	if err := p.scheduler.full.sweep(t.Context(), below, mkio.Changes); err != nil {
		t.Fatal(err)
	}
	if n := cache.total(); n > 0 {
		t.Errorf("a sweep below a parent without children read %d resources", n)
	}
}

// Whether gone resources are too many is decided by as many living ones as that takes.
func TestLivingResourcesAreCountedOnlyAsFarAsNeeded(t *testing.T) {
	p, cache := newCountedProject(t)
	c := confirmation{sweeps: p.scheduler.full, kind: lifecycle.Job, horizon: p.eventLog.Horizon()}
	const enough = 5 * maxAtOnce
	if n := c.countLiving(nil, enough); n != enough || cache.read.Load() > enough {
		t.Errorf("counted %d by reading %d, want %d", n, cache.read.Load(), enough)
	}
	all, _ := p.inventory.Count(lifecycle.Job, benchProject)
	if n := c.countLiving(nil, all+1); n != all {
		t.Errorf("counted %d, want all %d", n, all)
	}
}
