package poll

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// A fakeCache is a cache of heads whose changes are listed without limit.
type fakeCache struct {
	event.Names
	heads   map[string]*lifecycle.Fact
	changed []string
	err     error // of KeyOf
}

func newFakeCache() *fakeCache {
	return &fakeCache{Names: event.NewNames(event.DefaultPrefix), heads: map[string]*lifecycle.Fact{}}
}

func (c *fakeCache) set(key lifecycle.Key, state string) {
	c.changed = append(c.changed, c.Token(key))
	c.heads[c.Token(key)] = &lifecycle.Fact{Sequence: uint64(len(c.changed)), State: state}
}

func (c *fakeCache) Token(key lifecycle.Key) string                   { return c.Resource(key) }
func (c *fakeCache) Last(resource string) *lifecycle.Fact             { return c.heads[resource] }
func (*fakeCache) InMotion(lifecycle.Kind, string) []string           { return nil }
func (*fakeCache) Count(lifecycle.Kind, string) (living, deleted int) { return 0, 0 }

func (c *fakeCache) KeyOf(_ context.Context, resource string) (lifecycle.Key, error) {
	if c.err != nil {
		return lifecycle.Key{}, c.err
	}
	key, _, err := c.Parse(c.Subject(resource, ""))
	return key, err
}

func (c *fakeCache) Living(kind lifecycle.Kind, _ string) (found []string) {
	for resource, fact := range c.heads {
		if event.KindOf(resource) == kind && fact.State != lifecycle.StateDeleted {
			found = append(found, resource)
		}
	}
	return found
}

func (c *fakeCache) Changed(_ string, since uint64) (resources []string, version uint64, complete bool) {
	now := uint64(len(c.changed)) + 1
	if since == 0 {
		return nil, now, false
	}
	return c.changed[since-1:], now, true
}

func newFakeLists(t *testing.T, cache *fakeCache) *lists {
	t.Helper()
	var lines bridgetest.Buffer
	s := newTestScope(&lines, &fakeLog{})
	s.kinds = []lifecycle.Kind{lifecycle.LiveEvent, lifecycle.LiveOutput}
	s.heads, s.inventory = cache, cache
	return newLists(s)
}

func liveKey(t *testing.T, kind lifecycle.Kind, names ...string) lifecycle.Key {
	t.Helper()
	key, err := lifecycle.NewKey(kind, "p", names...)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// The children of a live event are listed while it is not Stopped or has outputs.
func TestChildListsFollowTheLog(t *testing.T) {
	cache := newFakeCache()
	camera, dvr := liveKey(t, lifecycle.LiveEvent, "camera"), liveKey(t, lifecycle.LiveOutput, "camera", "dvr")
	ls := newFakeLists(t, cache)
	for _, step := range []struct {
		key      lifecycle.Key
		state    string
		listed   bool
		children int
	}{
		{camera, "Stopped", false, 0},
		{camera, "Running", true, 0},
		{dvr, "Running", true, 1},
		{camera, "stopped", true, 1},
		{dvr, lifecycle.StateDeleted, false, 0},
		{dvr, "Creating", true, 1}, // another life, below a parent that is Stopped
		{camera, lifecycle.StateDeleted, true, 1},
		{dvr, lifecycle.StateDeleted, false, 0},
	} {
		cache.set(step.key, step.state)
		for _, how := range []string{"after an event", "from the whole cache"} {
			ls.updateChildLists()
			children, err := ls.childrenOf(camera)
			if l := ls.listBelow(camera); (l != nil) != step.listed || len(children) != step.children || err != nil {
				t.Errorf("%s %s, %s: list %t, children %q, error %v", step.key, step.state, how, l != nil, children, err)
			}
			ls.families.changes.reset()
		}
	}
	if n := len(ls.families.byParent); n != 0 {
		t.Errorf("%d families remain", n)
	}
}

// A list whose parent ends while it is swept is retired once the sweep is over.
func TestAListIsRetiredAfterItsSweep(t *testing.T) {
	cache := newFakeCache()
	camera := liveKey(t, lifecycle.LiveEvent, "camera")
	ls := newFakeLists(t, cache)
	cache.set(camera, "Running")
	ls.updateChildLists()
	l := ls.listBelow(camera)
	l.schedule.begin(modeFull)
	cache.set(camera, lifecycle.StateDeleted)
	if ls.updateChildLists(); ls.listBelow(camera) == nil {
		t.Error("a list that is being swept was retired")
	}
	l.schedule.abort(modeFull)
	if ls.updateChildLists(); ls.listBelow(camera) != nil || len(ls.childrenDue) != 0 {
		t.Error("the list was not retired after its sweep")
	}
}

// While the names of a child cannot be read, no sweep may conclude that its parent has no children; then it is read again.
func TestAnUnreadableChildIsReadAgain(t *testing.T) {
	cache := newFakeCache()
	camera := liveKey(t, lifecycle.LiveEvent, "camera")
	ls := newFakeLists(t, cache)
	ls.updateChildLists()
	cache.err = errors.New("no answer")
	cache.set(liveKey(t, lifecycle.LiveOutput, "camera", "dvr"), "Running")
	for range 2 {
		if _, err := ls.childrenOf(camera); err == nil || !strings.Contains(err.Error(), "no answer") {
			t.Errorf("the children are known although one cannot be read: %v", err)
		}
	}
	cache.err = nil
	if children, err := ls.childrenOf(camera); len(children) != 1 || err != nil {
		t.Errorf("children %q, error %v", children, err)
	}
}

// Child lists are checked when they are due, and at once after checkNow, also where that is called during a check.
func TestChildListsAreCheckedWhenDue(t *testing.T) {
	cache := newFakeCache()
	ls := newFakeLists(t, cache)
	const count = 50
	now := time.Now()
	for i := range count {
		cache.set(liveKey(t, lifecycle.LiveEvent, fmt.Sprint(i)), "Running")
	}
	ls.updateChildLists()
	below := func(due []*list) (children []*list) {
		for _, l := range due {
			if l.hasParent() {
				children = append(children, l)
			}
		}
		return children
	}
	due := below(ls.due(now))
	if len(due) != count {
		t.Fatalf("%d of %d new lists are due", len(due), count)
	}
	ls.checkNow(due[7]) // before the scheduler is done with it
	for i, l := range due {
		ls.checkAgain(l, now.Add(time.Duration(i*i%count+1)*time.Minute))
	}
	if again := below(ls.due(now)); len(again) != 1 || again[0] != due[7] {
		t.Errorf("%d lists are due after checkNow for one", len(again))
	}
	ls.checkAgain(due[7], now.Add(time.Hour))
	checked := 0
	for at := now; checked < count && at.Before(now.Add(24*time.Hour)); at = ls.nextCheck(at.Add(24 * time.Hour)) {
		for _, l := range below(ls.due(at)) {
			if checked++; l.check.After(at) {
				t.Errorf("a list that is due in %s was checked", l.check.Sub(at))
			}
		}
	}
	if checked != count {
		t.Errorf("%d of %d lists were checked", checked, count)
	}
}
