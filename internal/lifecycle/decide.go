package lifecycle

import "time"

// Decide returns the verdict on an observation of a resource whose last event is recorded (nil: it has none). The package
// comment has the rules.
func Decide(recorded *Fact, seen Observation) Verdict {
	if recorded == nil {
		return changed("no event is recorded")
	}
	if seen.Basis != nil && *seen.Basis != recorded.Sequence && !recorded.Matches(seen) {
		return late("stale: an event was recorded after the poll began")
	}
	return decide(recorded.withoutFutureTimes(seen.Clock), seen)
}

// decide is [Decide] for a recorded fact without future times.
func decide(recorded Fact, seen Observation) Verdict {
	if recorded.Records(seen) {
		return repeat("duplicate: already recorded")
	}
	life := compareLives(recorded, seen)
	bothDeleted := SameState(recorded.State, StateDeleted) && SameState(seen.State, StateDeleted)
	anotherLife := life == otherLife && !bothDeleted
	if samePair(recorded, seen) && !anotherLife {
		return decideSame(recorded, seen)
	}
	if stale(recorded, seen) {
		return late("stale: response is older than the recorded state")
	}
	if anotherLife {
		return decideReborn(recorded, seen)
	}
	if v, ok := decideAfterEnd(recorded, seen, life); ok {
		return v
	}
	return decideByEvidence(recorded, seen, life)
}

// decideSame decides an observation of the recorded state.
func decideSame(recorded Fact, seen Observation) Verdict {
	if order(recorded.At, seen.At) == newer {
		return Verdict{Outcome: Flap, Why: "recorded state again, at a newer time"}
	}
	if seen.Retried && compareTimes(recorded, seen) == older {
		return late("out of order: recorded state was reached again later") // the log does not have it: not a duplicate
	}
	return repeat("duplicate: recorded state")
}

// decideReborn decides an observation of another life than the recorded one.
func decideReborn(recorded Fact, seen Observation) Verdict {
	beganLater := beganAfter(recorded, seen)
	next := reborn("new life: name was reused")
	if SameState(recorded.State, StateDeleted) {
		next = changed("new life of a deleted name")
	}
	evidence := compareTimes(recorded, seen)
	switch {
	case beganLater:
		return next
	case evidence == newer && (seen.Basis != nil || order(latest(recorded.At, recorded.Modified), seen.Created) != older):
		return next
	case evidence == older, seen.Basis != nil && beganBefore(recorded, seen):
		return late("out of order: earlier life of the name")
	case seen.Basis != nil:
		return next
	}
	return conflict(next.Outcome, "two lives of the name, and no time orders them")
}

// Deletion returns the observation that a reused name implies: the recorded life of the resource ended, at the latest when
// the observed life began. If MK.IO's times contradict that, the deletion has no time.
func Deletion(recorded Fact, seen Observation) Observation {
	recorded = recorded.withoutFutureTimes(seen.Clock)
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

// decideAfterEnd decides an observation of a life, or of a job, that is recorded as ended; ok is false if it is not.
func decideAfterEnd(recorded Fact, seen Observation, life lifeComparison) (v Verdict, ok bool) {
	kind := seen.Key.Kind
	deleted := SameState(recorded.State, StateDeleted)
	if !deleted && !jobEnded(kind, recorded.State) {
		return Verdict{}, false
	}
	_, usual := rank(kind, seen.State)
	if !deleted && !usual {
		return Verdict{}, false // Deleting, Deleted, or an unlisted state may follow the end
	}
	if seen.Basis != nil {
		return decidePolledAfterEnd(recorded, seen, life), true
	}
	evidence := compareTimes(recorded, seen)
	switch {
	case evidence == older:
		return late("the recorded end is newer"), true
	case !deleted && jobEnded(kind, seen.State):
		return conflict(Changed, "two ends of one job"), true
	case life == sameLife:
		return late("stale: resource already terminal"), true
	case deleted && evidence == newer:
		return changed("name is in use again"), true
	default:
		return conflict(Changed, "resource already terminal, and this may be another life"), true
	}
}

// decidePolledAfterEnd decides an observation by a poll of a life, or of a job, that is recorded as ended.
func decidePolledAfterEnd(recorded Fact, seen Observation, life lifeComparison) Verdict {
	deleted := SameState(recorded.State, StateDeleted)
	switch {
	case !deleted && compareTimes(recorded, seen) == older:
		return late("the recorded end is newer")
	case !deleted && jobEnded(seen.Key.Kind, seen.State):
		return changed("poll returned another end of the job")
	case !deleted && life == sameLife:
		return late("stale: resource already terminal")
	case newerThanEnd(recorded, seen):
		return changed("poll is newer than the recorded end")
	}
	return late("stale: resource already terminal, and poll is not newer than its end")
}

// decideByEvidence orders two facts of a life that has not ended.
func decideByEvidence(recorded Fact, seen Observation, life lifeComparison) Verdict {
	before, ok1 := rank(seen.Key.Kind, recorded.State)
	after, ok2 := rank(seen.Key.Kind, seen.State)
	if seen.Basis != nil && ok1 && ok2 && before > after && unmodifiedSince(recorded, seen) {
		return late("stale: earlier job state in a record not modified since")
	}
	switch compareTimes(recorded, seen) {
	case newer:
		return changed("newer by MK.IO's times")
	case older:
		return late("out of order: older by MK.IO's times")
	case unordered:
	}
	if seen.Basis != nil {
		return changed("polled after the recorded state")
	}
	if seen.Retried && life != sameLife {
		// The rules below assume that the delivery is of the recorded life. A retried one may be of an earlier life.
		return conflict(Changed, "retried delivery of an unknown life")
	}
	if SameState(seen.State, StateDeleted) {
		return changed("Deleted ends a life")
	}
	switch {
	case ok1 && ok2 && before < after:
		return changed("later job state")
	case ok1 && ok2 && before > after:
		return late("out of order: earlier job state")
	}
	return conflict(Changed, "no evidence orders observation and recorded state")
}
