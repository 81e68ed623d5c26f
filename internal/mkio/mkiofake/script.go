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
