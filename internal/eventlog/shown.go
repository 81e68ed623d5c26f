package eventlog

import (
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/printable"
)

// Shown is the state of an event for people: safe on a terminal, and with what the state alone does not tell.
func (e Entry) Shown() string {
	state := printable.Name(e.Event.Data.State)
	if lifecycle.ProvisioningFailed(e.Event.Data.ProvisioningState) {
		return state + " (provisioning failed)"
	}
	return state
}
