package lifecycle

// An Outcome is the result of a decision on an observation.
type Outcome uint8

// The outcomes. The zero Outcome is none of them.
const (
	_        Outcome = iota
	Changed          // it is the resource's next event
	Reborn           // it is of another life: [Deletion] is the next event, then decide again
	Repeat           // no event: a duplicate
	Flap             // no event: the resource left the recorded state and returned to it, unobserved
	Late             // no event: out of order or stale, older than the recorded state
	Conflict         // no event: no evidence orders observation and recorded state
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

	arrival Outcome // the outcome of a Conflict in order of arrival
}

// ByArrival is the verdict when the resource cannot be rechecked: of two facts that no evidence orders, the one that arrived
// later counts as newer. Other verdicts stay as they are.
func (v Verdict) ByArrival() Verdict {
	if v.Outcome == Conflict {
		v.Outcome = v.arrival
	}
	return v
}

// Following is the verdict on an observation right behind its implied [Deletion]: it follows the life that it ended, whether
// or not the deletion has a time.
func (v Verdict) Following() Verdict {
	if v.Outcome == Conflict || v.Outcome == Late {
		return changed("follows the life that it ended")
	}
	return v
}

// News reports whether the verdict requires an event.
func (v Verdict) News() bool { return v.Outcome == Changed || v.Outcome == Reborn }

// MayBeRecorded reports whether the resource's former events must be searched before the verdict is final: one of them may
// record this observation ([Fact.Records]). A poll needs no search: it observes the present, or is stale.
func (v Verdict) MayBeRecorded(recorded *Fact, seen Observation) bool {
	if recorded == nil || seen.Basis != nil {
		return false
	}
	switch v.Outcome {
	case Late, Conflict, Reborn:
		return true
	case Changed:
		// A retry may have a new time. A job's states do not return, those of other kinds may.
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
