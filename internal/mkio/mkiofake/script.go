package mkiofake

import (
	"time"

	"mkio-bridge/internal/lifecycle"
)

// An Action is a kind of step.
type Action string

// The actions.
const (
	Create    Action = "create"
	Move      Action = "move"
	Provision Action = "provision" // State is the provisioningState
	Edit      Action = "edit"
	Delete    Action = "delete"
)

// A Step is one change of a script.
type Step struct {
	At    time.Time // steady
	Do    Action
	Key   lifecycle.Key
	From  string // if not "", the step is impossible in another state
	State string
}

// Play adds steps to the script that [MKIO.Run] plays. A step that is impossible when it is due, such as creating an existing
// resource, is skipped: the scripts of several days overlap.
func (m *MKIO) Play(script []Step) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range script {
		m.tasks.push(task{due: s.At, step: &s})
	}
}

// PlayPast plays the steps of a script that are due before now at once, as if they had happened at their times: for a
// simulation that begins in the middle of a script. It returns the other steps. The script must be in order, and PlayPast must
// be called before anything else changes a resource.
func (m *MKIO) PlayPast(script []Step) (rest []Step) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock.steady()
	defer func() { m.clock.past = time.Time{} }()
	for i, s := range script {
		if !s.At.Before(now) {
			return script[i:]
		}
		m.clock.past = s.At
		m.apply(s)
	}
	return nil
}
