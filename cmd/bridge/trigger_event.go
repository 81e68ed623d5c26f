package main

import (
	"fmt"
	"strings"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
	"mkio-bridge/internal/spelling"
)

// parseTriggered parses KIND.STATE, the change of state that trigger makes up.
func parseTriggered(text string) (kind lifecycle.Kind, state string, err error) {
	if text == "" {
		return "", "", fmt.Errorf("KIND.STATE is missing, e.g. job.finished. MK.IO sends:\n%s", triggeredList())
	}
	kindText, stateText, _ := strings.Cut(text, ".")
	kind, err = lifecycle.ParseKind(strings.ToLower(kindText))
	if err != nil {
		return "", "", fmt.Errorf("unknown event %q; the nearest is %s. MK.IO sends:\n%s", text, spelling.Nearest(strings.ToLower(text), triggeredEvents()), triggeredList())
	}
	states := mkiofake.SampleStates(kind)
	for _, s := range states {
		if lifecycle.SameState(s, stateText) {
			return kind, s, nil
		}
	}
	return "", "", notDelivered(kind, stateText, states)
}

// notDelivered returns the error of a state that is not among those of its kind that MK.IO delivers.
func notDelivered(kind lifecycle.Kind, state string, delivered []string) error {
	if kind == lifecycle.ChannelInstance {
		return fmt.Errorf("MK.IO sends ChannelInstance webhooks for resources of the Live API: use %s, e.g. %s.running", liveAPIKinds, lifecycle.LiveChannel)
	}
	if len(delivered) == 0 {
		return fmt.Errorf("MK.IO sends no webhooks for %s: the bridge finds its changes by polling. MK.IO sends:\n%s", kind, triggeredList())
	}
	own := eventsOf(kind)
	for _, s := range lifecycle.States(kind) {
		if state != "" && lifecycle.SameState(s.State, state) {
			return fmt.Errorf("MK.IO sends no webhook when a %s becomes %s: the bridge finds that by polling. It sends %s", kind, s.State, strings.Join(own, ", "))
		}
	}
	event := string(kind) + "." + strings.ToLower(state)
	return fmt.Errorf("unknown event %q; the nearest is %s (known of a %s are %s)", string(kind)+"."+state, spelling.Nearest(event, own), kind, strings.Join(own, ", "))
}

// liveAPIKinds are the kinds of the Live API whose deliveries are of the type ChannelInstance.
var liveAPIKinds = kinds{lifecycle.LiveChannel, lifecycle.LiveAPIEvent, lifecycle.StaticMultiviewChannel, lifecycle.StaticMultiviewEvent}

// triggeredEvents returns each KIND.STATE that MK.IO sends webhooks for.
func triggeredEvents() (all []string) {
	for _, kind := range lifecycle.Kinds() {
		all = append(all, eventsOf(kind)...)
	}
	return all
}

// triggeredList returns the kinds with the states that MK.IO sends webhooks for, a kind on each line.
func triggeredList() string {
	var lines []string
	for _, kind := range lifecycle.Kinds() {
		if states := mkiofake.SampleStates(kind); len(states) > 0 {
			lines = append(lines, fmt.Sprintf("    %-25s %s", kind, strings.ToLower(strings.Join(states, ", "))))
		}
	}
	return strings.Join(lines, "\n")
}

// eventsOf returns KIND.STATE for each state of a kind that MK.IO sends webhooks for.
func eventsOf(kind lifecycle.Kind) (all []string) {
	for _, state := range mkiofake.SampleStates(kind) {
		all = append(all, string(kind)+"."+strings.ToLower(state))
	}
	return all
}
