package lifecycle

import (
	"cmp"
	"slices"
	"strings"
)

// A Phase is what a consumer may conclude from a state without knowing the kind's own words.
type Phase string

// The phases.
const (
	Initial      Phase = "initial"      // just made
	Transitional Phase = "transitional" // moving
	Ready        Phase = "ready"        // the next step is valid
	Resting      Phase = "resting"      // usable, not running
	Succeeded    Phase = "succeeded"    // the end of a job or operation
	Failed       Phase = "failed"       // an end in error, or a failure
	Canceled     Phase = "canceled"     // the end of a canceled job
	Deleting     Phase = "deleting"     // going
	Gone         Phase = "gone"         // gone
	Unknown      Phase = "unknown"      // a state nobody listed
)

// Phases returns every phase, in the order of a life.
func Phases() []Phase {
	return []Phase{Initial, Transitional, Ready, Resting, Succeeded, Failed, Canceled, Deleting, Gone, Unknown}
}

// StateDeleted is the state of a resource that is no more. MK.IO rarely shows it: its API
// answers 404 by then.
const StateDeleted = "Deleted"

// A StateInfo is one word of a kind's vocabulary.
type StateInfo struct {
	State string
	Phase Phase
}

// everywhere holds the words that any kind may report: MK.IO names Updating, Scaling and Error as
// states that may turn up anywhere.
var everywhere = []StateInfo{
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

// own holds the words of each kind that mean something there and not everywhere.
var own = map[Kind][]StateInfo{
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
	Source:      inputStates,
	Content:     inputStates,
	Destination: inputStates,
}

// States returns the words listed for a kind: its own, then those that any kind may report.
func States(kind Kind) []StateInfo {
	return append(append([]StateInfo(nil), own[kind]...), everywhere...)
}

// PhaseOf returns the phase of a state. A failed provisioning is a failure whatever the state,
// but for Deleted.
func PhaseOf(kind Kind, state, provisioning string) Phase {
	phase := Unknown
	for _, list := range [][]StateInfo{own[kind], everywhere} {
		for _, s := range list {
			if SameState(s.State, state) {
				phase = s.Phase
			}
		}
	}
	if ProvisioningFailed(provisioning) && phase != Gone {
		return Failed
	}
	return phase
}

// InMotion says whether a resource in a state will leave it without anybody asking for it.
func InMotion(kind Kind, state, provisioning string) bool {
	switch PhaseOf(kind, state, provisioning) {
	case Initial, Transitional, Deleting:
		return true
	case Ready, Resting, Succeeded, Failed, Canceled, Gone, Unknown:
	}
	return strings.EqualFold(provisioning, "InProgress")
}

var channelsTold = []string{"Running", "Stopped", "UnableToStart"}

// told holds the states that MK.IO documents to tell by webhook when they are reached.
var told = map[Kind][]string{
	Job:                    {"Processing", "Finished", "Error", "Canceled"},
	StreamingLocator:       {"Created"},
	LiveChannel:            channelsTold,
	LiveAPIEvent:           channelsTold,
	StaticMultiviewChannel: channelsTold,
	StaticMultiviewEvent:   channelsTold,
	ScheduledOperation:     {"Accepted", "Ongoing", "Completed", "Errored"},
}

// SendsWebhook says whether MK.IO sends a webhook for the change from what is recorded (nil: nothing) to what was seen.
// What is made Stopped did not stop, and what runs after an update did not start. Of channel instances it is
// not documented what they are: here they are all resources of the Live API.
func SendsWebhook(recorded *Fact, seen Observation) bool {
	if !slices.ContainsFunc(told[seen.Key.Kind], func(s string) bool { return SameState(s, seen.State) }) {
		return false
	}
	if recorded == nil || SameState(recorded.State, StateDeleted) || compareIDs(recorded.Life, seen.Life) == otherLife {
		return !SameState(seen.State, "Stopped")
	}
	return !SameState(recorded.State, "Updating")
}

// SameState compares two states without regard to case.
func SameState(a, b string) bool { return strings.EqualFold(a, b) }

// jobOrder is the usual order of a job's states; the last is shared by its three ends.
var jobOrder = []string{"Queued", "Scheduled", "Processing", "Canceling"}

// rank is the place of a job's state in its usual order; ok is false for other kinds and words.
func rank(kind Kind, state string) (place int, ok bool) {
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

// OncePerLife says whether a resource reaches a state at most once in a life. Of the usual states of a job that is so.
func OncePerLife(kind Kind, state string) bool {
	_, usual := rank(kind, state)
	return usual
}

// SortStates puts states into the order in which they usually follow each other, where the kind has one.
func SortStates(kind Kind, states []string) {
	slices.SortFunc(states, func(a, b string) int {
		before, _ := rank(kind, a)
		after, _ := rank(kind, b)
		return cmp.Or(cmp.Compare(before, after), cmp.Compare(a, b))
	})
}

// jobEnded says whether state is one of the ends of a job, from which it never moves again.
func jobEnded(kind Kind, state string) bool {
	return kind == Job && (SameState(state, "Finished") || SameState(state, "Error") || SameState(state, "Canceled"))
}
