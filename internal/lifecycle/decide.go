package lifecycle

import "time"

// Decide says what becomes of an observation of a resource whose last event is recorded (nil when
// it has none). See the package comment for the rules.
func Decide(recorded *Fact, seen Observation) Verdict {
	if recorded == nil {
		return changed("nothing is recorded")
	}
	if seen.Basis != nil && *seen.Basis != recorded.Sequence {
		return late("something was recorded while MK.IO was asked")
	}
	return decide(recorded.credible(seen.Clock), seen)
}

// decide compares an observation with what is credible of the recorded fact.
func decide(recorded Fact, seen Observation) Verdict {
	if recorded.Tells(seen) {
		return repeat("it is recorded")
	}
	life := compareLives(recorded, seen)
	gone := SameState(recorded.State, StateDeleted) && SameState(seen.State, StateDeleted)
	again := life == otherLife && !gone
	if samePair(recorded, seen) && !again {
		return decideSame(recorded, seen)
	}
	if outdated(recorded, seen) {
		return late("MK.IO took the answer before the recorded state was seen")
	}
	if again {
		return decideReborn(recorded, seen)
	}
	if v, ok := decideEnded(recorded, seen, life); ok {
		return v
	}
	return decideByEvidence(recorded, seen, life)
}

// decideSame judges an observation of the recorded state.
func decideSame(recorded Fact, seen Observation) Verdict {
	if order(recorded.At, seen.At) == newer {
		return Verdict{Outcome: Flap, Why: "the recorded state again, at a newer time"}
	}
	if seen.Retried && compareTimes(recorded, seen) == older {
		return late("the recorded state was reached again after it") // to call it a repeat would lose it
	}
	return repeat("the recorded state again")
}

// decideReborn judges an observation of another life than the recorded one.
func decideReborn(recorded Fact, seen Observation) Verdict {
	follows := begunAfter(recorded, seen)
	next := reborn("another life of the name")
	if SameState(recorded.State, StateDeleted) {
		next = changed("another life of a deleted name")
	}
	evidence := compareTimes(recorded, seen)
	switch {
	case follows:
		return next
	case evidence == newer && (seen.Basis != nil || order(latest(recorded.At, recorded.Modified), seen.Created) != older):
		return next
	case evidence == older, seen.Basis != nil && begunBefore(recorded, seen):
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
	recorded = recorded.credible(seen.Clock)
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
	if seen.Basis != nil {
		return decideShownAgain(recorded, seen, life), true
	}
	evidence := compareTimes(recorded, seen)
	switch {
	case evidence == older:
		return late("the recorded end is newer"), true
	case !deleted && jobEnded(kind, seen.State):
		return conflict(Changed, "two ends of one job"), true
	case life == sameLife:
		return late("it ended, and nothing follows within one life"), true
	case deleted && evidence == newer:
		return changed("the name is in use again"), true
	default:
		return conflict(Changed, "it ended, and nothing tells whether this is another life"), true
	}
}

// decideShownAgain judges what MK.IO shows to a poll of a life, or of a job, that is recorded as ended.
func decideShownAgain(recorded Fact, seen Observation, life lives) Verdict {
	deleted := SameState(recorded.State, StateDeleted)
	switch {
	case !deleted && compareTimes(recorded, seen) == older:
		return late("the recorded end is newer")
	case !deleted && jobEnded(seen.Key.Kind, seen.State):
		return changed("MK.IO shows another end")
	case !deleted && life == sameLife:
		return late("it ended, and nothing follows within one life")
	case newerThanEnd(recorded, seen):
		return changed("MK.IO shows it after its end")
	}
	return late("it ended, and nothing that MK.IO shows is newer than its end")
}

// decideByEvidence orders two facts of a life that goes on.
func decideByEvidence(recorded Fact, seen Observation, life lives) Verdict {
	before, ok1 := rank(seen.Key.Kind, recorded.State)
	after, ok2 := rank(seen.Key.Kind, seen.State)
	if seen.Basis != nil && ok1 && ok2 && before > after && unmodifiedSince(recorded, seen) {
		return late("earlier in the order of a job, by a record not modified since")
	}
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
	if seen.Retried && life != sameLife {
		// What follows trusts that who tells speaks of the life that is recorded. It may be of one before it.
		return conflict(Changed, "it was told some time ago, and nothing tells of which life")
	}
	if SameState(seen.State, StateDeleted) {
		return changed("Deleted ends a life")
	}
	switch {
	case ok1 && ok2 && before < after:
		return changed("later in the order of a job")
	case ok1 && ok2 && before > after:
		return late("earlier in the order of a job")
	}
	return conflict(Changed, "no evidence orders it and the recorded state")
}
