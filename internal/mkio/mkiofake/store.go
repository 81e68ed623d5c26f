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

// An MKIO is a simulated MK.IO. Create one with [New]; its methods are safe for concurrent use.
type MKIO struct {
	config Config

	mu            sync.Mutex
	clock         clock
	ids           *rand.Rand
	faults        Faults
	token         string
	revoked       bool
	projects      map[string]*project
	resources     map[lifecycle.Key]*resource
	order         uint64 // of the latest created resource
	changes       []*trackedChange
	writes        []Write
	events        uint64                 // changes and writes so far
	requestLogs   map[string]*requestLog // by project; "": requests without a project
	requests      uint64                 // received
	deliveryCount uint64                 // queued
	refusedTypes  map[string]bool        // event types that the organisation does not have
	tasks         taskQueue
	cache         cache
	staleReads    []StaleRead
	organizations map[string]*MKIO // other organisations at the same address, by id
}

// A project is a project of MK.IO.
type project struct {
	name, id     string
	generation   int    // counts the projects of this name
	organization string // its id
	created      time.Time
	kinds        map[lifecycle.Kind][]*resource // in order of creation
	removed      map[lifecycle.Kind][]*resource // recently enough for a view to show
	rules        map[string]*rule
	shape        ProjectShape
	hidden       bool            // fault: responds 404
	emptyLists   bool            // fault: all lists are empty
	outage       bool            // fault: everything below it responds 404
	granted      []string        // the token's rights; nil: all
	denied       map[string]bool // rights that it lacks all the same
}

// A resource is one life of one name.
type resource struct {
	key           lifecycle.Key
	project       *project
	info          *kindInfo
	life          string
	created       time.Time // wall
	createdSteady time.Time // the same time, steady
	deletedSteady time.Time // steady
	order         uint64
	current       *version
	asset, policy string // of a locator; others ignore them
}

// A version is the state of a resource between two changes. Except for its progress and its cached JSON it is immutable.
type version struct {
	resource                 *resource
	state                    string
	provisioning             string
	steadySince              time.Time // steady
	since                    time.Time // the same time, wall
	modified                 time.Time
	processingSince, endedAt time.Time      // of a job: first Processing, and its end
	percent                  int            // of a job: how far it is; see [MKIO.advance]
	wasRunning               bool           // a version before it was Running
	change                   *trackedChange // the change that began the version
	row                      []byte         // JSON of its list row; nil until needed
	previous                 *version       // nil: none, or too old for a view
}

// New returns a simulated MK.IO. Deliveries are sent by [MKIO.Run] only.
func New(c Config) *MKIO {
	c = c.withDefaults()
	m := &MKIO{
		config: c, clock: newClock(c.Start, c.Speed), ids: rand.New(rand.NewPCG(c.Seed, 1+uint64(crc32.ChecksumIEEE([]byte(c.Organization))))), faults: c.Faults, token: c.Token,
		projects: map[string]*project{}, resources: map[lifecycle.Key]*resource{}, requestLogs: map[string]*requestLog{},
		refusedTypes: map[string]bool{}, tasks: newTaskQueue(), organizations: map[string]*MKIO{},
	}
	for _, name := range c.Projects {
		m.projects[name] = newProject(OrganizationID(c.Organization), name, 1, m.clock.start.AddDate(0, -2, 0))
	}
	return m
}

// newProject returns a project; generation counts the projects of this name in an organisation.
func newProject(organization, name string, nth int, created time.Time) *project {
	return &project{
		name: name, id: idOf("project", organization, name, strconv.Itoa(nth)), generation: nth, organization: organization, created: created,
		kinds: map[lifecycle.Kind][]*resource{}, removed: map[lifecycle.Kind][]*resource{}, rules: map[string]*rule{}, denied: map[string]bool{},
	}
}

// Now returns MK.IO's wall time.
func (m *MKIO) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clock.now()
}

// Create creates a resource in a state. It panics if the resource exists, because the test is wrong then.
func (m *MKIO) Create(key lifecycle.Key, state string) {
	m.mustApply(Step{Do: Create, Key: key, State: state})
}

// Move changes a resource's state, spelt as in its record.
func (m *MKIO) Move(key lifecycle.Key, state string) {
	m.mustApply(Step{Do: Move, Key: key, State: state})
}

// Edit changes a resource's modification time only.
func (m *MKIO) Edit(key lifecycle.Key) { m.mustApply(Step{Do: Edit, Key: key}) }

// Delete deletes a resource and everything below it.
func (m *MKIO) Delete(key lifecycle.Key) { m.mustApply(Step{Do: Delete, Key: key}) }

func (m *MKIO) mustApply(s Step) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.apply(s) {
		panic(fmt.Sprintf("mkiofake: cannot %s %s", s.Do, s.Key))
	}
}

// apply makes one change; false if it is impossible.
func (m *MKIO) apply(s Step) bool {
	r := m.resources[s.Key]
	if s.Do == Create {
		return r == nil && m.create(s.Key, s.State)
	}
	if r == nil || s.From != "" && r.current.state != s.From {
		return false
	}
	switch s.Do {
	case Move:
		m.move(r, s.State)
	case Provision:
		m.provision(r, s.State)
	case Edit:
		v := *r.current
		v.row, v.modified = nil, m.clock.wallTime(m.clock.stamp())
		r.current = &v // not a new version: stale reads show the same state
	case Delete:
		m.remove(r)
	default:
		return false
	}
	return true
}

func (m *MKIO) create(key lifecycle.Key, state string) bool {
	p, ok := kindInfoOf(key)
	in := m.projects[key.Project]
	if !ok || in == nil {
		return false
	}
	from := m.clock.stamp()
	at := m.clock.wallTime(from)
	m.order++
	r := &resource{
		key: key, project: in, info: p, life: newID(m.ids), created: at, createdSteady: from, order: m.order,
		asset: key.Name() + "-out", policy: "Predefined_ClearStreamingOnly",
	}
	v := &version{resource: r, state: state, provisioning: p.provisioning(state), steadySince: from, since: at, modified: at}
	m.resources[key] = r
	in.kinds[key.Kind] = append(in.kinds[key.Kind], r)
	m.setVersion(r, v, "")
	return true
}

func (m *MKIO) move(r *resource, state string) {
	provisioning := r.info.provisioning(state)
	if r.current.state == state && r.current.provisioning == provisioning {
		return
	}
	v := m.nextVersion(r)
	v.state, v.provisioning = state, provisioning
	v.wasRunning = v.wasRunning || r.current.state == "Running"
	m.setVersion(r, v, r.current.state)
}

func (m *MKIO) provision(r *resource, provisioning string) {
	if r.current.provisioning == provisioning {
		return
	}
	v := m.nextVersion(r)
	v.provisioning = provisioning
	m.setVersion(r, v, r.current.state)
}

// nextVersion returns a copy of the current version that begins now. Content key policies never update their modification
// time; other kinds may not either (NotModified), because MK.IO does not document that they do.
func (m *MKIO) nextVersion(r *resource) *version {
	m.advance(r.current)
	v := *r.current
	v.row, v.steadySince, v.previous = nil, m.clock.stamp(), r.current
	v.since = m.clock.wallTime(v.steadySince)
	if r.key.Kind != lifecycle.ContentKeyPolicy && m.ids.Float64() >= m.faults.NotModified {
		v.modified = v.since
	}
	return &v
}

// setVersion makes a version current, records the change and queues its deliveries.
func (m *MKIO) setVersion(r *resource, v *version, previous string) {
	if r.key.Kind == lifecycle.Job {
		switch v.state {
		case "Processing":
			if v.processingSince.IsZero() {
				v.processingSince = v.since
			}
		case "Finished", "Error", "Canceled":
			v.endedAt = v.since
		}
		if v.state == "Finished" {
			v.percent = 100
		}
	}
	r.current = v
	v.change = m.recordChange(v, previous, v.previous == nil || v.previous.state != v.state)
	v.trimBefore(v.steadySince.Add(-m.faults.maxStaleness()))
	m.queueDeliveries(v.change, v)
}

// remove deletes a resource, its children first.
func (m *MKIO) remove(r *resource) {
	for _, child := range m.childrenOf(r) {
		m.remove(child)
	}
	delete(m.resources, r.key)
	in := r.project
	in.kinds[r.key.Kind] = slices.DeleteFunc(in.kinds[r.key.Kind], func(o *resource) bool { return o == r })
	r.deletedSteady = m.clock.stamp()
	gone := &version{resource: r, state: lifecycle.StateDeleted, steadySince: r.deletedSteady, since: m.clock.wallTime(r.deletedSteady)}
	in.removed[r.key.Kind] = append(slices.DeleteFunc(in.removed[r.key.Kind], func(o *resource) bool {
		return r.deletedSteady.Sub(o.deletedSteady) > m.faults.maxStaleness()
	}), r)
	m.recordChange(gone, r.current.state, false)
}

func (m *MKIO) childrenOf(r *resource) []*resource {
	var found []*resource
	for _, kind := range []lifecycle.Kind{lifecycle.LiveOutput, lifecycle.ScheduledOperation} {
		for _, child := range r.project.kinds[kind] {
			if child.below(r.key) {
				found = append(found, child)
			}
		}
	}
	return found
}

// below reports whether a resource is a child of another.
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
