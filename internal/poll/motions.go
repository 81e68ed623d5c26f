package poll

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// A motion is a resource in motion: in an initial, transitional or deleting phase. key and parent do not change.
type motion struct {
	key      lifecycle.Key
	parent   lifecycle.Key // zero: it has none
	fact     lifecycle.Fact
	since    time.Time // when it entered its state, as far as the log has it, or restart was called
	next     time.Time // when it is polled next: a tick
	lastSeen time.Time // when a poll last saw it in this state, on MK.IO's clock; zero: none has
}

// motions are the resources of a project in motion, according to the log.
//
// mu guards the fields below it. It is held while the log's cache is read, and the lock of waitingDeletions may be taken under
// it.
type motions struct {
	*scope
	deletions *waitingDeletions

	mu      sync.Mutex
	changes changeReader
	byToken map[string]*motion
	byPlace map[place]map[string]*motion // the same by kind and parent, then by token
}

// A place is a kind of resource below a parent, which is zero below the project: the resources of a list are at one place for
// each of its kinds.
type place struct {
	kind   lifecycle.Kind
	parent lifecycle.Key
}

func (m *motion) place() place { return place{m.key.Kind, m.parent} }

func newMotions(s *scope, deletions *waitingDeletions) *motions {
	return &motions{
		scope: s, deletions: deletions,
		changes: newChangeReader(s), byToken: map[string]*motion{}, byPlace: map[place]map[string]*motion{},
	}
}

// update adds, changes and removes motions according to the log's cache, and returns the parents of those that it added or
// changed. Its cost is that of what changed since the last update.
func (ms *motions) update(now time.Time) (parents map[lifecycle.Key]bool) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	changed, complete := ms.changes.next()
	if !complete {
		for resource := range ms.byToken {
			changed = append(changed, resource)
		}
		for _, kind := range ms.kinds {
			changed = append(changed, ms.inventory.InMotion(kind, ms.name)...)
		}
	}
	parents = map[lifecycle.Key]bool{}
	for _, resource := range changed {
		if m := ms.updateResource(resource, now); m != nil && m.parent != (lifecycle.Key{}) {
			parents[m.parent] = true
		}
	}
	return parents
}

// updateResource adds, changes or removes the motion of one resource, and returns it; nil: the resource is at rest. The caller
// holds mu.
func (ms *motions) updateResource(resource string, now time.Time) *motion {
	kind, fact, m := event.KindOf(resource), ms.heads.Last(resource), ms.byToken[resource]
	switch {
	case !slices.Contains(ms.kinds, kind):
		return nil
	case fact == nil || !lifecycle.InMotion(kind, fact.State, fact.Provisioning):
		if m != nil {
			ms.remove(resource, m)
		}
		return nil
	case m == nil:
		key, err := ms.keyOf(resource)
		if err != nil {
			ms.changes.retry(resource, err)
			return nil // sweeps observe it meanwhile
		}
		m = &motion{key: key}
		m.parent, _ = mkio.ParentOf(key)
		ms.add(resource, m)
	}
	if m.fact.Sequence != fact.Sequence {
		m.fact, m.since, m.lastSeen = *fact, stateSince(*fact, now), time.Time{}
		m.next = ms.intervals.nearestTick(now.Add(ms.firstInterval(m, now)))
	}
	return m
}

// add adds a motion. The caller holds mu.
func (ms *motions) add(resource string, m *motion) {
	ms.byToken[resource] = m
	if ms.byPlace[m.place()] == nil {
		ms.byPlace[m.place()] = map[string]*motion{}
	}
	ms.byPlace[m.place()][resource] = m
}

// remove removes a motion. The caller holds mu.
func (ms *motions) remove(resource string, m *motion) {
	delete(ms.byToken, resource)
	delete(ms.byPlace[m.place()], resource)
	if len(ms.byPlace[m.place()]) == 0 {
		delete(ms.byPlace, m.place())
	}
}

// firstInterval returns the time until a resource is polled first. That of resources which have been in an open-ended state for
// long is spread over their interval: many are found at once when the bridge starts or takes over the project.
func (ms *motions) firstInterval(m *motion, now time.Time) time.Duration {
	longest := ms.intervals.interval(m.key.Kind, m.fact.State, now.Sub(m.since))
	return ms.intervals.active + rand.N(longest-ms.intervals.active+1)
}

// restart has a resource in motion polled every Active again, as if it had entered its state at a time: something happened that is
// likely to end the state.
func (ms *motions) restart(resource string, at, now time.Time) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if m := ms.byToken[resource]; m != nil && at.After(m.since) {
		m.since, m.next = at, ms.intervals.nearestTick(now.Add(ms.intervals.active))
	}
}

// postpone has a resource in motion polled once in Full: something that ends its state is observed otherwise, and restart is called
// then.
func (ms *motions) postpone(resource string, now time.Time) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if m := ms.byToken[resource]; m != nil {
		m.next = latest(m.next, ms.intervals.nearestTick(now.Add(ms.intervals.full)))
	}
}

// stateSince returns when a resource entered its state, as far as the log has it: another bridge may have polled it for
// long.
func stateSince(fact lifecycle.Fact, now time.Time) time.Time {
	at := fact.At
	if at.IsZero() {
		at = fact.SeenBefore
	}
	if at.IsZero() {
		return now
	}
	return earliest(at, now)
}

// ofList returns the motions of a list, and when the first of them is due. Resources whose deletion waits are left to
// sweeps.
func (ms *motions) ofList(l *list) (moving []*motion, due time.Time) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	for _, kind := range l.Kinds {
		for _, m := range ms.byPlace[place{kind, l.Parent}] {
			if ms.deletions.waits(m.key) {
				continue
			}
			if len(moving) == 0 || m.next.Before(due) {
				due = m.next
			}
			moving = append(moving, m)
		}
	}
	return moving, due
}

// plan picks the cheapest strategy for an active poll of a list, and for oneByOne the resources to request. Those in an
// open-ended state are requested in the class of sweeps, behind more urgent requests.
func (ms *motions) plan(l *list, moving []*motion, now time.Time) activePlan {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	plan := activePlan{states: statesOf(moving), motions: moving}
	var due []*motion
	for _, m := range moving {
		if !now.Before(m.next) {
			due = append(due, m)
		}
	}
	plan.strategy = cheapestStrategy(len(due), len(moving), len(plan.states), ms.count(l), l.FiltersByState() && len(plan.states) > 0)
	if l.Stateless() {
		plan.strategy = oneByOne
	}
	switch {
	case l.hasParent():
		plan.requestsEachActive = ms.parentsInMotion(now)
	case plan.strategy == oneByOne:
		plan.requestsEachActive = ms.countAtActiveRate(moving, now)
	}
	if plan.strategy != oneByOne {
		return plan
	}
	plan.motions = ms.intervals.pickDue(due, now)
	for _, m := range plan.motions {
		class := mkio.Sweeps
		if ms.intervals.atActiveRate(m, now) {
			class = mkio.Urgent
		}
		plan.requests = append(plan.requests, fetchRequest{m.key, class})
	}
	return plan
}

// countAtActiveRate returns how many resources are polled every Active.
func (ms *motions) countAtActiveRate(moving []*motion, now time.Time) (n int) {
	for _, m := range moving {
		if ms.intervals.atActiveRate(m, now) {
			n++
		}
	}
	return n
}

// parentsInMotion returns how many parents have children that are polled every Active: each is a list of its own, and takes a
// request of its own. The caller holds mu.
func (ms *motions) parentsInMotion(now time.Time) (n int) {
	for place, motions := range ms.byPlace {
		if place.parent != (lifecycle.Key{}) && ms.countAtActiveRate(slices.Collect(maps.Values(motions)), now) > 0 {
			n++
		}
	}
	return n
}

// reschedule sets when the resources of a plan are polled next.
func (ms *motions) reschedule(plan activePlan, now time.Time) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	for _, m := range plan.motions {
		wait := ms.intervals.interval(m.key.Kind, m.fact.State, now.Sub(m.since))
		if ms.intervals.atActiveRate(m, now) {
			wait = ms.intervals.stretchToBudget(wait, plan.requestsEachActive)
		}
		m.next = ms.intervals.nearestTick(now.Add(wait))
	}
}

// seenUnchanged notes that a poll saw a resource in motion in its recorded state. A stored copy does not count.
func (ms *motions) seenUnchanged(h head, at mkio.AsOf) {
	if at.Stored {
		return
	}
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if m := ms.byToken[h.resource]; m != nil && m.fact.Sequence == h.sequence() {
		m.lastSeen = at.From
	}
}

// lastSeen returns when a poll last saw the recorded state of a resource in motion; zero where none has.
func (ms *motions) lastSeen(h head) time.Time {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if m := ms.byToken[h.resource]; m != nil && m.fact.Sequence == h.sequence() {
		return m.lastSeen
	}
	return time.Time{}
}

// modifiedSinceSeen reports whether a resource is in motion and was modified since a poll last saw it.
func (ms *motions) modifiedSinceSeen(h head, at time.Time) bool {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	m := ms.byToken[h.resource]
	return m != nil && at.After(latest(m.lastSeen, h.fact.SeenBefore))
}

func (ms *motions) reset() {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	ms.changes.reset()
	ms.byToken, ms.byPlace = map[string]*motion{}, map[place]map[string]*motion{}
}
