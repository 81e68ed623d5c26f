package mkiofake

import (
	"time"

	"mkio-bridge/internal/lifecycle"
)

// An Action is what a step does.
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
	At    time.Time // on MK.IO's clock, had nobody set it
	Do    Action
	Key   lifecycle.Key
	State string
}

// Play adds steps to the script that [MKIO.Run] plays. A step that is impossible when its time comes, such as
// making what exists, is left out: scripts of several days overlap.
func (m *MKIO) Play(script []Step) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range script {
		m.agenda.push(task{due: s.At, step: &s})
	}
}
