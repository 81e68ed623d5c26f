package mkiofake

import (
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// An MKIO is a simulated MK.IO. Make one with [New]; all its methods may be used at the same time.
type MKIO struct {
	config Config

	mu        sync.Mutex
	clock     clock
	ids       *rand.Rand
	faults    Faults
	token     string
	revoked   bool
	projects  map[string]*project
	resources map[lifecycle.Key]*resource
	order     uint64 // of the latest creation
	entries   []*entry
	asked     map[string]*askedLog // by project; "" for requests of none
	requests  uint64               // how many came
	told      uint64               // how many deliveries were prepared
	refused   map[string]bool      // event types that the organisation does not have
	agenda    agenda
	cache     cache
	misled    []Misleading
	beside    map[string]*MKIO // other organisations at the same address, by id
}

// A project is one of MK.IO's.
type project struct {
	name, id     string
	nth          int    // of its name
	organization string // its id
	created      time.Time
	kinds        map[lifecycle.Kind][]*resource // in the order of their creation
	removed      map[lifecycle.Kind][]*resource // not longer ago than stale reads and replicas show
	rules        map[string]*rule
	gone         bool
	hollow       bool // its lists are empty
	lost         bool // what is below it is answered 404
	forbidden    map[lifecycle.Kind]bool
	noRules      bool // the token may not see rules
}

// A resource is one life of one name.
type resource struct {
	key     lifecycle.Key
	in      *project
	place   *place
	life    string
	created time.Time // as MK.IO's clock showed
	began   time.Time // the same moment, steady
	ended   time.Time // steady
	order   uint64
	now     *version
}

// A version is a resource between two changes. But for what is cached of it, it stays as it is.
type version struct {
	of           *resource
	state        string
	provisioning string
	from         time.Time // steady
	since        time.Time // the same moment, as MK.IO's clock showed
	modified     time.Time
	began, ended time.Time // of a job: when it was first Processing, and at its end
	ran          bool      // it was Running before
	entry        *entry    // the change that brought the state
	row          []byte    // its JSON in a list; nil until asked for
	before       *version  // nil for the first, and where that is longer ago than anybody is shown
}

// New makes a simulated MK.IO. Nothing is told before [MKIO.Run].
func New(c Config) *MKIO {
	c = c.withDefaults()
	m := &MKIO{
		config: c, clock: newClock(c.Start, c.Speed), ids: rand.New(rand.NewPCG(c.Seed, 1+uint64(crc32.ChecksumIEEE([]byte(c.Organization))))), faults: c.Faults, token: c.Token,
		projects: map[string]*project{}, resources: map[lifecycle.Key]*resource{}, asked: map[string]*askedLog{},
		refused: map[string]bool{}, agenda: newAgenda(), beside: map[string]*MKIO{},
	}
	for _, name := range c.Projects {
		m.projects[name] = newProject(OrganizationID(c.Organization), name, 1, m.clock.start.AddDate(0, -2, 0))
	}
	return m
}

// newProject makes the project that is the nth of its name in an organisation.
func newProject(organization, name string, nth int, created time.Time) *project {
	return &project{
		name: name, id: idOf("project", organization, name, strconv.Itoa(nth)), nth: nth, organization: organization, created: created,
		kinds: map[lifecycle.Kind][]*resource{}, removed: map[lifecycle.Kind][]*resource{}, rules: map[string]*rule{}, forbidden: map[lifecycle.Kind]bool{},
	}
}

// Now is what MK.IO's clock shows.
func (m *MKIO) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clock.now()
}

// Create makes a resource in a state. It panics for one that exists: a test that wants it is wrong.
func (m *MKIO) Create(key lifecycle.Key, state string) {
	m.must(Step{Do: Create, Key: key, State: state})
}

// Move changes a resource's state, as its record spells it.
func (m *MKIO) Move(key lifecycle.Key, state string) { m.must(Step{Do: Move, Key: key, State: state}) }

// Edit changes a resource's time of modification and no more.
func (m *MKIO) Edit(key lifecycle.Key) { m.must(Step{Do: Edit, Key: key}) }

// Delete ends a resource's life and those of what lies below it.
func (m *MKIO) Delete(key lifecycle.Key) { m.must(Step{Do: Delete, Key: key}) }

func (m *MKIO) must(s Step) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.apply(s) {
		panic(fmt.Sprintf("mkiofake: cannot %s %s", s.Do, s.Key))
	}
}

// apply makes one change; false where it is impossible.
func (m *MKIO) apply(s Step) bool {
	r := m.resources[s.Key]
	if s.Do == Create {
		return r == nil && m.create(s.Key, s.State)
	}
	if r == nil {
		return false
	}
	switch s.Do {
	case Move:
		m.move(r, s.State)
	case Provision:
		m.provision(r, s.State)
	case Edit:
		v := *r.now
		v.row, v.modified = nil, m.clock.shown(m.clock.stamp())
		r.now = &v // no change of state: what a stale read shows stays the same
	case Delete:
		m.remove(r)
	default:
		return false
	}
	return true
}

func (m *MKIO) create(key lifecycle.Key, state string) bool {
	p, ok := placeOf(key)
	in := m.projects[key.Project]
	if !ok || in == nil {
		return false
	}
	from := m.clock.stamp()
	at := m.clock.shown(from)
	m.order++
	r := &resource{key: key, in: in, place: p, life: newID(m.ids), created: at, began: from, order: m.order}
	v := &version{of: r, state: state, provisioning: p.provisioning(state), from: from, since: at, modified: at}
	m.resources[key] = r
	in.kinds[key.Kind] = append(in.kinds[key.Kind], r)
	m.become(r, v, "")
	return true
}

func (m *MKIO) move(r *resource, state string) {
	provisioning := r.place.provisioning(state)
	if r.now.state == state && r.now.provisioning == provisioning {
		return
	}
	v := m.next(r)
	v.state, v.provisioning = state, provisioning
	v.ran = v.ran || r.now.state == "Running"
	m.become(r, v, r.now.state)
}

func (m *MKIO) provision(r *resource, provisioning string) {
	if r.now.provisioning == provisioning {
		return
	}
	v := m.next(r)
	v.provisioning = provisioning
	m.become(r, v, r.now.state)
}

// next begins a version that follows the present one. Content key policies do not tell that they changed, and
// others not always: nothing documents that they do.
func (m *MKIO) next(r *resource) *version {
	v := *r.now
	v.row, v.from, v.before = nil, m.clock.stamp(), r.now
	v.since = m.clock.shown(v.from)
	if r.key.Kind != lifecycle.ContentKeyPolicy && m.ids.Float64() >= m.faults.NotModified {
		v.modified = v.since
	}
	return &v
}

// become puts a version in force, notes it and has it told.
func (m *MKIO) become(r *resource, v *version, previous string) {
	if r.key.Kind == lifecycle.Job {
		switch v.state {
		case "Processing":
			if v.began.IsZero() {
				v.began = v.since
			}
		case "Finished", "Error", "Canceled":
			v.ended = v.since
		}
	}
	r.now = v
	v.entry = m.note(v, previous, v.before == nil || v.before.state != v.state)
	v.forgetBefore(v.from.Add(-m.faults.longestAgo()))
	m.tell(v.entry, v)
}

// remove ends a life. What lies below goes first: it cannot be without.
func (m *MKIO) remove(r *resource) {
	for _, child := range m.childrenOf(r) {
		m.remove(child)
	}
	delete(m.resources, r.key)
	in := r.in
	in.kinds[r.key.Kind] = slices.DeleteFunc(in.kinds[r.key.Kind], func(o *resource) bool { return o == r })
	r.ended = m.clock.stamp()
	gone := &version{of: r, state: lifecycle.StateDeleted, from: r.ended, since: m.clock.shown(r.ended)}
	in.removed[r.key.Kind] = append(slices.DeleteFunc(in.removed[r.key.Kind], func(o *resource) bool {
		return r.ended.Sub(o.ended) > m.faults.longestAgo()
	}), r)
	m.note(gone, r.now.state, false)
}

func (m *MKIO) childrenOf(r *resource) []*resource {
	var found []*resource
	for _, kind := range []lifecycle.Kind{lifecycle.LiveOutput, lifecycle.ScheduledOperation} {
		for _, child := range r.in.kinds[kind] {
			if child.below(r.key) {
				found = append(found, child)
			}
		}
	}
	return found
}

// below says whether a resource lies below another.
func (r *resource) below(parent lifecycle.Key) bool {
	names := r.key.Names()
	switch r.key.Kind {
	case lifecycle.LiveOutput:
		return parent.Kind == lifecycle.LiveEvent && names[0] == parent.Name()
	case lifecycle.ScheduledOperation:
		return string(parent.Kind) == names[0] && names[1] == parent.Name()
	}
	return false
}
