package publish

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// A place is where a resource stands: its last event (nil: none is known) and the sequence that the
// log will hold for its subjects. They differ when the event has aged out of the log and only the
// state bucket still has it: then 0 is expected.
type place struct {
	fact   *lifecycle.Fact
	expect uint64
	again  time.Time // MK.IO's latest time at which the event's state was told once more; it is not in the log
}

// asTold is the last event with the latest time at which its state was told: what is older than that is late.
func (at place) asTold() *lifecycle.Fact {
	if at.fact == nil || !at.again.After(at.fact.At) {
		return at.fact
	}
	fact := *at.fact
	fact.At = at.again
	return &fact
}

// decide is the one comparison of an observation with a recorded state.
func (at place) decide(o lifecycle.Observation) lifecycle.Verdict {
	return lifecycle.Decide(at.asTold(), o)
}

// known remembers the place of every resource. It is a cache: what it lacks or has wrong costs a
// round trip, never a wrong event.
type known struct {
	mu      sync.RWMutex
	groups  map[string]group // by kind and project, the first two tokens of a resource
	waiting waiting          // those of them that should not stay as they are
	horizon uint64           // the highest sequence of the log that is known here
}

// A group holds the resources of one kind and project by their tokens.
type group struct {
	places map[string]packed
	moving map[string]minute // those that move on by themselves, and since when they should
}

func newKnown() known { return known{groups: map[string]group{}, waiting: waiting{}} }

func (k *known) get(resource string) place { return k.packed(resource).place() }

func (k *known) packed(resource string) packed {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.groups[event.GroupOf(resource)].places[resource]
}

// sequence is that of a resource's last event, 0 where none is known.
func (k *known) sequence(resource string) uint64 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.groups[event.GroupOf(resource)].places[resource].sequence()
}

// put remembers a place as it was just read or written, unless the tail has told something newer meanwhile.
func (k *known) put(resource string, at place) {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := event.GroupOf(resource)
	if old := k.groups[name].places[resource]; old.sequence() <= at.fact.Sequence {
		k.set(name, resource, old, at)
	}
}

// remove forgets a resource that the stream does not have, unless the tail has told of it since the stream was asked, when
// its last event was known to be at asked.
func (k *known) remove(resource string, asked uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := event.GroupOf(resource)
	if k.groups[name].places[resource].sequence() == asked {
		delete(k.groups[name].places, resource)
		k.rest(name, resource)
	}
}

// rest notes that a resource moves on no longer; the caller holds the lock.
func (k *known) rest(name, resource string) {
	g := k.groups[name]
	k.waiting.add(kindOf(name), g.moving[resource], -1)
	delete(g.moving, resource)
}

// kindOf is the kind of a group's resources.
func kindOf(name string) lifecycle.Kind {
	kind, _, _ := strings.Cut(name, ".")
	return lifecycle.Kind(kind)
}

// learn puts a place that a scan or the log's tail found, unless something newer is known already.
func (k *known) learn(resource string, at place) {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := event.GroupOf(resource)
	if old := k.groups[name].places[resource]; old.sequence() < at.fact.Sequence {
		k.set(name, resource, old, at)
	}
}

// set remembers a place of a group's resource instead of an old one; the caller holds the lock.
func (k *known) set(name, resource string, old packed, at place) {
	g, ok := k.groups[name]
	if !ok {
		g = group{places: map[string]packed{}, moving: map[string]minute{}}
		k.groups[name] = g
	}
	if old.sequence() == at.fact.Sequence {
		if again := old.place().again; again.After(at.again) {
			at.again = again
		}
	}
	g.places[resource] = pack(at)
	k.rest(name, resource)
	if kind := kindOf(name); lifecycle.Moving(kind, at.fact.State, at.fact.Provisioning) {
		since := minuteOf(kind, at.asTold())
		g.moving[resource] = since
		k.waiting.add(kind, since, 1)
	}
	k.horizon = max(k.horizon, at.fact.Sequence)
}

// flapped notes that the state of a resource's last event was told once more.
func (k *known) flapped(resource string, at place, again time.Time) {
	if again.After(at.again) {
		at.again = again
	}
	k.put(resource, at)
}

// forget empties the memory.
func (k *known) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.groups, k.waiting, k.horizon = map[string]group{}, waiting{}, 0
}

// sizes is how many resources of each kind are known.
func (k *known) sizes() map[lifecycle.Kind]int {
	k.mu.RLock()
	defer k.mu.RUnlock()
	n := map[lifecycle.Kind]int{}
	for name, g := range k.groups {
		n[kindOf(name)] += len(g.places)
	}
	return n
}

// Recorded returns a resource's last event as far as it is known here.
func (p *Publisher) Recorded(key lifecycle.Key) (lifecycle.Fact, bool) {
	fact := p.Last(p.names.Resource(key))
	if fact == nil {
		return lifecycle.Fact{}, false
	}
	return *fact, true
}

// Last is [Publisher.Recorded] of a resource token; nil where no event is known.
func (p *Publisher) Last(resource string) *lifecycle.Fact { return p.known.get(resource).fact }

// Compare says what [Publisher.Observe] would make of an observation by the cache alone: it asks the log nothing. Where it
// returns news, Observe may still find that there is none. current is false where the recorded state is not the one that
// the observation rests on (its Basis).
func (p *Publisher) Compare(resource string, o lifecycle.Observation) (verdict lifecycle.Verdict, current bool) {
	var (
		at   place
		fact lifecycle.Fact // without its hash, which no decision needs: polls compare a row in a few allocations
	)
	if head := p.known.packed(resource); head != "" {
		at.fact = &fact
		_, at.again, _ = head.read(&fact)
	}
	return at.decide(o), o.Basis == nil || *o.Basis == fact.Sequence
}

// Horizon is the highest sequence of the log that is known here. What is asked of MK.IO now is newer
// than everything up to it.
func (p *Publisher) Horizon() uint64 {
	p.known.mu.RLock()
	defer p.known.mu.RUnlock()
	return p.known.horizon
}

// Epoch changes when all that was known here was forgotten, because the log is another one or has lost its end.
func (p *Publisher) Epoch() uint64 { return p.epoch.Load() }

// Resources returns the last event of every resource of a kind and project by its token, as far as it is
// known here.
func (p *Publisher) Resources(kind lifecycle.Kind, project string) map[string]lifecycle.Fact {
	p.known.mu.RLock()
	defer p.known.mu.RUnlock()
	found := map[string]lifecycle.Fact{}
	for _, name := range p.names.Groups(kind, project) {
		for resource, at := range p.known.groups[name].places {
			found[resource] = *at.place().fact
		}
	}
	return found
}

// Tokens returns the tokens of all resources of a kind and project that are known here. Whoever goes through many of them
// holds nobody up.
func (p *Publisher) Tokens(kind lifecycle.Kind, project string) []string {
	tokens := make([]string, 0, p.Count(kind, project))
	p.known.mu.RLock()
	defer p.known.mu.RUnlock()
	for _, name := range p.names.Groups(kind, project) {
		tokens = slices.AppendSeq(tokens, maps.Keys(p.known.groups[name].places))
	}
	return tokens
}

// Moving returns those of [Publisher.Resources] that move on by themselves.
func (p *Publisher) Moving(kind lifecycle.Kind, project string) map[string]lifecycle.Fact {
	p.known.mu.RLock()
	defer p.known.mu.RUnlock()
	found := map[string]lifecycle.Fact{}
	for _, name := range p.names.Groups(kind, project) {
		g := p.known.groups[name]
		for resource := range g.moving {
			found[resource] = *g.places[resource].place().fact
		}
	}
	return found
}

// Count is how many resources of a kind and project are known here.
func (p *Publisher) Count(kind lifecycle.Kind, project string) int {
	p.known.mu.RLock()
	defer p.known.mu.RUnlock()
	n := 0
	for _, name := range p.names.Groups(kind, project) {
		n += len(p.known.groups[name].places)
	}
	return n
}

// Token returns the token of a resource.
func (p *Publisher) Token(key lifecycle.Key) string { return p.names.Resource(key) }

// KeyOf returns the key that a resource token stands for. Where the token has a name cut, the last event
// is read for it.
func (p *Publisher) KeyOf(ctx context.Context, resource string) (lifecycle.Key, error) {
	key, _, err := p.names.Parse(p.names.Subject(resource, ""))
	if !errors.Is(err, event.ErrCutToken) {
		return key, err
	}
	m, err := p.reader.get(ctx, p.names.StateStream(), map[string]any{"last_by_subj": p.names.StateSubject(resource)})
	if err != nil {
		return lifecycle.Key{}, fmt.Errorf("read the names of %s: %w", resource, err)
	}
	if m == nil {
		return lifecycle.Key{}, fmt.Errorf("read the names of %s: the state bucket does not have it", resource)
	}
	e, err := event.Decode(m.Data)
	if err != nil {
		return lifecycle.Key{}, err
	}
	return e.Data.Key()
}
