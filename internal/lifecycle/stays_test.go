package lifecycle_test

import (
	"slices"
	"testing"
	"time"

	. "mkio-bridge/internal/lifecycle"
)

// Every event of a job has how long its states lasted, so that the last one has them all.
func TestStaysOfAJob(t *testing.T) {
	start := time.Date(2031, 3, 4, 10, 0, 0, 0, time.UTC)
	at := func(state string, after time.Duration) Fact { return Fact{State: state, At: start.Add(after)} }
	var last *Fact
	for _, next := range []Fact{at("Queued", 0), at("Processing", 12300*time.Millisecond), at("Finished", 313*time.Second)} {
		next.Stays = StaysAfter(Job, last, next)
		last = &next
	}
	if want := Stays("Queued=12.3&Processing=301"); last.Stays != want {
		t.Errorf("the stays are %q, want %q", last.Stays, want)
	}
}

// The list of stays is bounded, however often a channel is started.
func TestStaysKeepTheLatest(t *testing.T) {
	at := time.Date(2031, 3, 4, 10, 0, 0, 0, time.UTC)
	fact := Fact{State: "Stopped", At: at}
	for i := range 20 {
		for _, step := range []struct {
			state string
			after time.Duration
		}{{"Starting", time.Hour}, {"Running", time.Duration(i+1) * time.Second}, {"Stopping", time.Hour}, {"Stopped", time.Minute}} {
			at = at.Add(step.after)
			next := Fact{State: step.state, At: at}
			next.Stays = StaysAfter(LiveChannel, &fact, next)
			fact = next
		}
	}
	var starting []time.Duration
	for state, d := range fact.Stays.All() {
		switch state {
		case "Starting":
			starting = append(starting, d)
		case "Stopping":
		default:
			t.Errorf("a stay in %s counts", state)
		}
	}
	if len(starting) != 8 || starting[0] != 20*time.Second || !slices.IsSortedFunc(starting, func(a, b time.Duration) int { return int(b - a) }) {
		t.Errorf("the stays in Starting are %v", starting)
	}
}

func TestStaysThatDoNotCount(t *testing.T) {
	at := time.Date(2031, 3, 4, 10, 0, 0, 0, time.UTC)
	later := at.Add(time.Minute)
	for name, tt := range map[string]struct{ previous, next Fact }{
		"a state at rest":                 {Fact{State: "Finished", At: at}, Fact{State: "Deleted", At: later}},
		"deleted while processing":        {Fact{State: "Processing", At: at}, Fact{State: "Deleted", At: later}},
		"clocks that disagree":            {Fact{State: "Processing", At: later}, Fact{State: "Finished", At: at}},
		"found by a first sweep":          {Fact{State: "Processing", SeenBefore: at}, Fact{State: "Finished", At: later}},
		"an end without a time":           {Fact{State: "Processing", At: at}, Fact{State: "Finished"}},
		"a record with a former fault":    {Fact{State: "Processing", Provisioning: "Failed", At: at}, Fact{State: "Finished", At: later}},
		"the same state with a new fault": {Fact{State: "Processing", At: at}, Fact{State: "Processing", At: later}},
	} {
		if got := StaysAfter(Job, &tt.previous, tt.next); got != "" {
			t.Errorf("%s: the stays are %q", name, got)
		}
	}
	if got := StaysAfter(Job, nil, Fact{State: "Queued", At: at}); got != "" {
		t.Errorf("first event: the stays are %q", got)
	}
}

// A header is input: another client may have written it.
func TestStaysSkipWhatIsNoStay(t *testing.T) {
	for _, s := range []Stays{"", "&", "=", "Processing", "%zz=1", "Processing=x,-1,NaN,Inf,1e300"} {
		for state, d := range s.All() {
			t.Errorf("%q has a stay of %s in %s", s, d, state)
		}
	}
}
