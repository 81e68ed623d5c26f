package lifecycle

import "time"

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
	case Late, Conflict:
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

// Decide says what becomes of an observation of a resource whose last event is recorded (nil when
// it has none). See the package comment for the rules.
func Decide(recorded *Fact, seen Observation) Verdict {
	if recorded == nil {
		return changed("nothing is recorded")
	}
	if seen.Basis != nil && *seen.Basis != recorded.Sequence {
		return late("something was recorded while MK.IO was asked")
	}
	if recorded.Tells(seen) {
		return repeat("it is recorded")
	}
	life := compareLives(*recorded, seen)
	gone := SameState(recorded.State, StateDeleted) && SameState(seen.State, StateDeleted)
	if life == otherLife && !gone {
		return decideReborn(*recorded, seen)
	}
	if samePair(*recorded, seen) {
		if order(recorded.At, seen.At) == newer {
			return Verdict{Outcome: Flap, Why: "the recorded state again, at a newer time"}
		}
		return repeat("the recorded state again")
	}
	if v, ok := decideEnded(*recorded, seen, life); ok {
		return v
	}
	return decideByEvidence(*recorded, seen)
}

// decideReborn judges an observation of another life than the recorded one.
func decideReborn(recorded Fact, seen Observation) Verdict {
	follows := order(latest(recorded.At, recorded.Modified), seen.Created) == newer
	next := reborn("another life of the name")
	if SameState(recorded.State, StateDeleted) {
		next = changed("another life of a deleted name")
	}
	evidence := compareTimes(recorded, seen)
	switch {
	case follows || evidence == newer:
		return next
	case evidence == older:
		return late("it is of an earlier life of the name")
	case seen.Basis != nil:
		return next
	}
	return conflict(next.Outcome, "two lives of the name, and no time orders them")
}

// Deletion is the observation that a re-used name implies: the recorded life of the resource ended,
// at the latest when the life that was seen began. Where MK.IO's times contradict that, the deletion
// has no time of its own.
func Deletion(recorded Fact, seen Observation) Observation {
	gone := seen
	gone.State = StateDeleted
	gone.Provisioning = ""
	gone.Life = recorded.Life
	gone.At = time.Time{}
	if order(latest(recorded.At, recorded.Modified), seen.Created) != older {
		gone.At = seen.Created
	}
	gone.Created = time.Time{}
	gone.Modified = time.Time{}
	gone.ReportedPrevious = nil
	gone.Problems = nil
	gone.Correlation = nil
	gone.Resource = nil
	return gone
}

// decideEnded judges observations of a life, or of a job, that had ended; ok is false where it
// had not.
func decideEnded(recorded Fact, seen Observation, life lives) (v Verdict, ok bool) {
	kind := seen.Key.Kind
	deleted := SameState(recorded.State, StateDeleted)
	if !deleted && !jobEnded(kind, recorded.State) {
		return Verdict{}, false
	}
	_, usual := rank(kind, seen.State)
	if !deleted && !usual {
		return Verdict{}, false // Deleting, Deleted, or a word nobody listed: it may follow the end
	}
	evidence := compareTimes(recorded, seen)
	switch {
	case evidence == older:
		return late("the recorded end is newer"), true
	case !deleted && jobEnded(kind, seen.State):
		return conflict(Changed, "two ends of one job"), true
	case life == sameLife:
		return late("it ended, and nothing follows within one life"), true
	case seen.Basis != nil || (deleted && evidence == newer):
		return changed("the name is in use again"), true
	default:
		return conflict(Changed, "it ended, and nothing tells whether this is another life"), true
	}
}

// decideByEvidence orders two facts of a life that goes on.
func decideByEvidence(recorded Fact, seen Observation) Verdict {
	switch compareTimes(recorded, seen) {
	case newer:
		return changed("newer by MK.IO's times")
	case older:
		return late("older by MK.IO's times")
	case silent:
	}
	if seen.Basis != nil {
		return changed("shown by MK.IO after the recorded state")
	}
	if SameState(seen.State, StateDeleted) {
		return changed("Deleted ends a life")
	}
	before, ok1 := rank(seen.Key.Kind, recorded.State)
	after, ok2 := rank(seen.Key.Kind, seen.State)
	switch {
	case ok1 && ok2 && before < after:
		return changed("later in the order of a job")
	case ok1 && ok2 && before > after:
		return late("earlier in the order of a job")
	}
	return conflict(Changed, "no evidence orders it and the recorded state")
}

// Tells says whether f is the very fact that was seen: the same state of the same life, told by
// the same delivery or at the same MK.IO time. A record's modification time stands in where one
// of them has no time.
func (f Fact) Tells(seen Observation) bool {
	if !samePair(f, seen) || compareIDs(f.Life, seen.Life) == otherLife {
		return false
	}
	if seen.Delivery != nil && seen.Delivery.ID != "" && seen.Delivery.ID == f.Delivery {
		return true
	}
	if f.At.IsZero() || seen.At.IsZero() {
		return !f.Modified.IsZero() && f.Modified.Equal(seen.Modified)
	}
	return f.At.Equal(seen.At)
}

// samePair compares what two neighbours in the log must not share: state and provisioning failure.
func samePair(f Fact, seen Observation) bool {
	return SameState(f.State, seen.State) &&
		ProvisioningFailed(f.Provisioning) == ProvisioningFailed(seen.Provisioning)
}

type lives uint8

const (
	unknownLife lives = iota
	sameLife
	otherLife
)

// compareLives says whether a fact and an observation are of one life of the name.
func compareLives(recorded Fact, seen Observation) lives {
	if l := compareIDs(recorded.Life, seen.Life); l != unknownLife {
		return l
	}
	if order(latest(recorded.At, recorded.Modified), seen.Created) == newer {
		return otherLife
	}
	return unknownLife
}

// compareIDs compares two lives by what MK.IO calls them: two ids, or two times of creation. An id
// and a time say nothing of each other.
func compareIDs(a, b string) lives {
	if a == "" || b == "" {
		return unknownLife
	}
	if a == b {
		return sameLife
	}
	ta, errA := time.Parse(time.RFC3339Nano, a)
	tb, errB := time.Parse(time.RFC3339Nano, b)
	switch {
	case errA == nil && errB == nil && ta.Equal(tb):
		return sameLife
	case (errA == nil) == (errB == nil):
		return otherLife
	}
	return unknownLife
}

type ordering uint8

const (
	silent ordering = iota
	newer
	older
)

// compareTimes orders an observation against a recorded fact by MK.IO's times: like with like
// first, then the time of a webhook against the window of a poll.
func compareTimes(recorded Fact, seen Observation) ordering {
	if o := order(recorded.Modified, seen.Modified); o != silent {
		return o
	}
	if o := order(recorded.At, seen.At); o != silent {
		return o
	}
	if seen.At.IsZero() || recorded.SeenBefore.IsZero() {
		return silent
	}
	if seen.At.After(recorded.SeenBefore) {
		return newer
	}
	if !recorded.SeenAfter.IsZero() && !seen.At.After(recorded.SeenAfter) {
		return older
	}
	return silent
}

// order says whether the second of two times is newer or older; a missing time says nothing.
func order(recorded, seen time.Time) ordering {
	switch {
	case recorded.IsZero() || seen.IsZero() || recorded.Equal(seen):
		return silent
	case seen.After(recorded):
		return newer
	}
	return older
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
