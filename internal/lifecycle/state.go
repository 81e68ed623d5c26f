package lifecycle

import (
	"cmp"
	"slices"
	"strings"
)

// A Phase classifies a state, so that a consumer need not know every kind's states.
type Phase string

// The phases.
const (
	Initial      Phase = "initial"      // just created
	Transitional Phase = "transitional" // changing by itself
	Ready        Phase = "ready"        // the next step is valid
	Resting      Phase = "resting"      // usable, not running
	Succeeded    Phase = "succeeded"    // the end of a job or operation
	Failed       Phase = "failed"       // ended with an error, or failed
	Canceled     Phase = "canceled"     // the end of a canceled job
	Deleting     Phase = "deleting"     // being deleted
	Gone         Phase = "gone"         // deleted
	Unknown      Phase = "unknown"      // an unlisted state
)

// Phases returns every phase, in the order of a life.
func Phases() []Phase {
	return []Phase{Initial, Transitional, Ready, Resting, Succeeded, Failed, Canceled, Deleting, Gone, Unknown}
}

// StateDeleted is the state of a deleted resource. MK.IO rarely returns it: its API responds 404 by then.
const StateDeleted = "Deleted"

// stateProcessing is the state of a job that runs.
const stateProcessing = "Processing"

// HasProgress reports whether MK.IO shows how far a resource in a state is: a job that runs.
func HasProgress(kind Kind, state string) bool {
	return kind == Job && SameState(state, stateProcessing)
}

// A StateInfo is a state with its phase.
type StateInfo struct {
	State string
	Phase Phase
}

// commonStates are the states that any kind may have: MK.IO documents Updating, Scaling and Error as such.
var commonStates = []StateInfo{
	{"", Initial},
	{"Creating", Initial},
	{"Allocating", Initial},
	{"Allocated", Initial},
	{"Starting", Transitional},
	{"Started", Transitional},
	{"Updating", Transitional},
	{"Scaling", Transitional},
	{"Restarting", Transitional},
	{"Stopping", Transitional},
	{"Stopped", Resting},
	{"StandBy", Resting},
	{"Error", Failed},
	{"Errored", Failed},
	{"UnableToStart", Failed},
	{"Deleting", Deleting},
	{StateDeleted, Gone},
}

var (
	channelStates = []StateInfo{{"Pending", Initial}, {"Running", Ready}}
	inputStates   = []StateInfo{{"Inactive", Resting}, {"Active", Ready}}
)

// kindStates are the states that are specific to a kind.
var kindStates = map[Kind][]StateInfo{
	Asset:            {{"Pending", Initial}, {"Ready", Ready}},
	ContentKeyPolicy: {{"Created", Ready}},
	Job: {
		{"Queued", Initial},
		{"Scheduled", Transitional},
		{"Processing", Transitional},
		{"Canceling", Transitional},
		{"Finished", Succeeded},
		{"Canceled", Canceled},
	},
	LiveEvent:              {{"Running", Ready}},
	LiveOutput:             {{"Running", Ready}},
	StreamingEndpoint:      {{"Created", Resting}, {"Running", Ready}},
	StreamingLocator:       {{"Created", Ready}},
	LiveChannel:            channelStates,
	LiveAPIEvent:           channelStates,
	StaticMultiviewChannel: channelStates,
	StaticMultiviewEvent:   channelStates,
	ChannelInstance:        channelStates,
	ScheduledOperation: {
		{"Pending", Initial},
		{"Accepted", Transitional},
		{"Ongoing", Transitional},
		{"Completed", Succeeded},
	},
	Storage: { // of its private link; the empty state is a storage without one
		{"", Resting},
		{"Pending", Initial},
		{"Ready", Ready},
		{"Running", Ready},
	},
	Source:      inputStates,
	Content:     inputStates,
	Destination: inputStates,
}

// States returns the states listed for a kind: its own, then those that any kind may have.
func States(kind Kind) []StateInfo {
	all := slices.Clone(kindStates[kind])
	for _, s := range commonStates {
		if _, own := phaseIn(kindStates[kind], s.State); !own {
			all = append(all, s)
		}
	}
	return all
}

func phaseIn(list []StateInfo, state string) (Phase, bool) {
	for _, s := range list {
		if SameState(s.State, state) {
			return s.Phase, true
		}
	}
	return Unknown, false
}

// PhaseOf returns the phase of a state. With failed provisioning it is failed for every state but Deleted.
func PhaseOf(kind Kind, state, provisioning string) Phase {
	phase, own := phaseIn(kindStates[kind], state)
	if !own {
		phase, _ = phaseIn(commonStates, state)
	}
	if ProvisioningFailed(provisioning) && phase != Gone {
		return Failed
	}
	return phase
}

// InMotion reports whether a resource will leave its state without a request to MK.IO.
func InMotion(kind Kind, state, provisioning string) bool {
	switch PhaseOf(kind, state, provisioning) {
	case Initial, Transitional, Deleting:
		return true
	case Ready, Resting, Succeeded, Failed, Canceled, Gone, Unknown:
	}
	return strings.EqualFold(provisioning, "InProgress")
}

var channelWebhookStates = []string{"Running", "Stopped", "UnableToStart"}

// webhookStates are the states for which MK.IO documents a webhook when they are reached.
var webhookStates = map[Kind][]string{
	Job:                    {"Processing", "Finished", "Error", "Canceled"},
	StreamingLocator:       {"Created"},
	LiveEvent:              channelWebhookStates,
	LiveChannel:            channelWebhookStates,
	LiveAPIEvent:           channelWebhookStates,
	StaticMultiviewChannel: channelWebhookStates,
	StaticMultiviewEvent:   channelWebhookStates,
	ScheduledOperation:     {"Accepted", "Ongoing", "Completed", "Errored"},
}

// SendsWebhook reports whether MK.IO documents a webhook for the change from the recorded state (nil: none) to the observed
// one. It sends none for a resource that is created Stopped, and none for one that is Running after an update. Channel
// instances are resources of the Live API, and perhaps live events of the Media API: see [WebhookUncertain].
func SendsWebhook(recorded *Fact, seen Observation) bool {
	if !slices.ContainsFunc(webhookStates[seen.Key.Kind], func(s string) bool { return SameState(s, seen.State) }) {
		return false
	}
	if recorded == nil || SameState(recorded.State, StateDeleted) || compareIDs(recorded.Life, seen.Life) == otherLife {
		return !SameState(seen.State, "Stopped")
	}
	return !SameState(recorded.State, "Updating")
}

// WebhookUncertain says whether MK.IO's documentation suggests a kind's webhooks without describing them: a project has them
// only if deliveries show it.
func WebhookUncertain(kind Kind) bool { return kind == LiveEvent }

// SameState compares two states without regard to case.
func SameState(a, b string) bool { return strings.EqualFold(a, b) }

// jobOrder is the usual order of a job's states; its three ends, which are not listed, share the position after it.
var jobOrder = []string{"Queued", "Scheduled", "Processing", "Canceling"}

// rank returns the position of a job's state in the usual order; ok is false for other kinds and states.
func rank(kind Kind, state string) (position int, ok bool) {
	if kind != Job {
		return 0, false
	}
	for i, s := range jobOrder {
		if SameState(s, state) {
			return i, true
		}
	}
	return len(jobOrder), jobEnded(kind, state)
}

// OncePerLife reports whether a resource reaches a state at most once in a life: only the usual states of a job.
func OncePerLife(kind Kind, state string) bool {
	_, usual := rank(kind, state)
	return usual
}

// SortStates sorts states in their usual order, if the kind has one, and else by name.
func SortStates(kind Kind, states []string) {
	slices.SortFunc(states, func(a, b string) int {
		before, _ := rank(kind, a)
		after, _ := rank(kind, b)
		return cmp.Or(cmp.Compare(before, after), cmp.Compare(a, b))
	})
}

// jobEnded reports whether state is one of the ends of a job, from which it never moves again.
func jobEnded(kind Kind, state string) bool {
	return kind == Job && (SameState(state, "Finished") || SameState(state, "Error") || SameState(state, "Canceled"))
}
