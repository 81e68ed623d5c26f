package lifecycle

// An Outcome is what becomes of an observation.
type Outcome uint8

// The outcomes. The zero Outcome is none of them.
const (
	_        Outcome = iota
	Changed          // it is the resource's next event
	Reborn           // its name has another life: [Deletion] is the next event, then decide again
	Repeat           // nothing: it is recorded
	Flap             // nothing: the recorded state was left and reached again unseen
	Late             // no event: it is older than the recorded state
	Conflict         // no event: no evidence orders it and the recorded state
)

func (o Outcome) String() string {
	switch o {
	case Changed:
		return "changed"
	case Reborn:
		return "reborn"
	case Repeat:
		return "repeat"
	case Flap:
		return "flap"
	case Late:
		return "late"
	case Conflict:
		return "conflict"
	}
	return "none"
}

// A Verdict is an outcome and the evidence that led to it, in a few words for a log line.
type Verdict struct {
	Outcome Outcome
	Why     string

	arrival Outcome // what a Conflict becomes in order of arrival
}

// ByArrival is the verdict where MK.IO cannot be asked: of two facts that no evidence orders, the
// one that arrived later is taken for the newer. Other verdicts stay as they are.
func (v Verdict) ByArrival() Verdict {
	if v.Outcome == Conflict {
		v.Outcome = v.arrival
	}
	return v
}

// Following is the verdict on an observation right behind the end that it implied ([Deletion]): it follows the life that
// it ended, whether or not that end has a time.
func (v Verdict) Following() Verdict {
	if v.Outcome == Conflict || v.Outcome == Late {
		return changed("it follows the life that it ended")
	}
	return v
}

// News says whether the verdict asks for an event.
func (v Verdict) News() bool { return v.Outcome == Changed || v.Outcome == Reborn }

// MayBeRecorded says whether the resource's earlier events must be looked through before the verdict
// holds: one of them may be this observation, told before a later state ([Fact.Tells]). What a poll
// saw is not looked up: it is of the present, or dropped.
func (v Verdict) MayBeRecorded(recorded *Fact, seen Observation) bool {
	if recorded == nil || seen.Basis != nil {
		return false
	}
	switch v.Outcome {
	case Late, Conflict, Reborn:
		return true
	case Changed:
		// A retry may carry a new time. The states of a job do not come back, those of others do.
		before, ok1 := rank(seen.Key.Kind, recorded.State)
		after, ok2 := rank(seen.Key.Kind, seen.State)
		return !ok1 || !ok2 || before >= after
	}
	return false
}

func changed(why string) Verdict { return Verdict{Outcome: Changed, Why: why} }
func reborn(why string) Verdict  { return Verdict{Outcome: Reborn, Why: why} }
func repeat(why string) Verdict  { return Verdict{Outcome: Repeat, Why: why} }
func late(why string) Verdict    { return Verdict{Outcome: Late, Why: why} }
func conflict(arrival Outcome, why string) Verdict {
	return Verdict{Outcome: Conflict, Why: why, arrival: arrival}
}
