package mkiofake

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// samplePaths are, for each kind whose changes MK.IO delivers, the states through which a resource gets to each state that it
// delivers. The last of a path is that state.
var samplePaths = map[lifecycle.Kind][][]string{
	lifecycle.Job: {
		{"Queued", "Processing"},
		{"Queued", "Processing", "Finished"},
		{"Queued", "Processing", "Error"},
		{"Queued", "Processing", "Canceling", "Canceled"},
	},
	lifecycle.StreamingLocator:       {{"Creating", "Created"}},
	lifecycle.LiveEvent:              instancePaths,
	lifecycle.LiveChannel:            instancePaths,
	lifecycle.LiveAPIEvent:           instancePaths,
	lifecycle.StaticMultiviewChannel: instancePaths,
	lifecycle.StaticMultiviewEvent:   instancePaths,
	lifecycle.ScheduledOperation: {
		{"Pending", "Accepted"},
		{"Pending", "Accepted", "Ongoing"},
		{"Pending", "Accepted", "Ongoing", "Completed"},
		{"Pending", "Accepted", "Ongoing", "Errored"},
	},
}

var instancePaths = [][]string{{"Starting", "Running"}, {"Running", "Stopping", "Stopped"}, {"Starting", "UnableToStart"}}

// SampleStates returns the states of a kind that MK.IO delivers, spelt as in its records; none for other kinds.
func SampleStates(kind lifecycle.Kind) (states []string) {
	for _, path := range samplePaths[kind] {
		states = append(states, path[len(path)-1])
	}
	return states
}

// sampleStep is the time between two states of a sample's resource.
const sampleStep = time.Second

// Sample returns the body of the delivery that MK.IO sends when a resource reaches a state at a time. The resource exists for
// the sample only; samples of the same key show the same life. Each sample has a delivery id of its own.
func Sample(key lifecycle.Key, state string, at time.Time) ([]byte, error) {
	paths := samplePaths[key.Kind]
	i := slices.IndexFunc(paths, func(path []string) bool { return lifecycle.SameState(path[len(path)-1], state) })
	if i < 0 {
		return nil, fmt.Errorf("MK.IO delivers no change of a %s to %q", key.Kind, state)
	}
	return sampleAt(key, paths[i], at)
}

// sampleAt plays the states of a path, and returns the body of the last one's delivery.
func sampleAt(key lifecycle.Key, path []string, at time.Time) ([]byte, error) {
	m := New(Config{Seed: rand.Uint64(), Projects: []string{key.Project}, Start: at.Add(-time.Duration(len(path)-1) * sampleStep), LiveEventWebhooks: true})
	const rule = "sample"
	m.PutRule(key.Project, rule, Rule{Events: EventTypes()})
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.create(key, path[0]) {
		return nil, fmt.Errorf("MK.IO has no resource %s", key)
	}
	r := m.resources[key]
	r.life = idOf(append([]string{"sample", key.Project, string(key.Kind)}, key.Names()...)...)
	for _, state := range path[1:] {
		m.clock.offset += sampleStep
		m.move(r, state)
	}
	history := m.projects[key.Project].rules[rule].history
	return history[len(history)-1].body(), nil
}
