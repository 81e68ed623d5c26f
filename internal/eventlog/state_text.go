package eventlog

import (
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/printable"
)

// StateText returns the state of an event for people: safe on a terminal, and with a provisioning failure, which the state
// alone does not have.
func (e LoggedEvent) StateText() string {
	state := printable.Name(e.Event.Data.State)
	if lifecycle.ProvisioningFailed(e.Event.Data.ProvisioningState) {
		return state + " (provisioning failed)"
	}
	return state
}
