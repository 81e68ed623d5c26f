package lifecycle

import "time"

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
	return SameState(f.State, seen.State) && (seen.Delivery != nil && seen.Provisioning == "" || // it was not told: that is no recovery
		ProvisioningFailed(f.Provisioning) == ProvisioningFailed(seen.Provisioning))
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
	if begunAfter(recorded, seen) {
		return otherLife
	}
	return unknownLife
}

// begunAfter says whether the life that was seen began after all that is recorded. A deletion that a
// re-used name implied has the very time at which the next life began ([Deletion]).
func begunAfter(recorded Fact, seen Observation) bool {
	last := latest(recorded.At, recorded.Modified)
	switch {
	case last.IsZero() && !recorded.SeenBefore.IsZero():
		return order(recorded.SeenBefore.Add(Skew), seen.Created) == newer
	case SameState(recorded.State, StateDeleted) && !seen.Created.IsZero() && seen.Created.Equal(last):
		return true
	case last.Nanosecond() == 0:
		return order(last, seen.Created.Truncate(time.Second)) == newer // it may have been cut to seconds
	}
	return order(last, seen.Created) == newer
}

// begunBefore says whether another life than the recorded one is an earlier one: it began before the recorded life was
// seen, or seen to be gone. Where MK.IO shows it for long, it was the recorded one that was out of date.
func begunBefore(recorded Fact, seen Observation) bool {
	last := latest(recorded.At, recorded.SeenBefore)
	switch {
	case last.IsZero() || seen.Created.IsZero() || seen.SeenBefore.After(last.Add(stillThere)):
		return false
	case SameState(recorded.State, StateDeleted) && order(recorded.SeenAfter, seen.Created) == newer:
		return false // the life that is gone was still there then
	}
	return seen.Created.Add(2 * Skew).Before(last)
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
	modified, at := order(recorded.Modified, seen.Modified), order(recorded.At, seen.At)
	if seen.Basis == nil && at == older {
		return older // a retry may bring a record of now: the fact that it tells stays old
	}
	if modified != silent {
		return modified
	}
	if at != silent {
		return at
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

// unmodifiedSince says whether the record that an observation rests on was last modified no later than what is recorded:
// the change that is recorded is not in it yet. A record without that time says nothing.
func unmodifiedSince(recorded Fact, seen Observation) bool {
	last := latest(recorded.At, recorded.Modified)
	return !seen.Modified.IsZero() && !last.IsZero() && !seen.Modified.After(last)
}

// Skew is how far the clocks of MK.IO's servers may be apart.
const Skew = 5 * time.Second

// mostAhead is how far MK.IO's time of a change may be ahead of its clock.
const mostAhead = 5 * time.Minute

// stillThere is how long after the end of a life MK.IO must still show it for the end to have been none. A replica that
// lags behind catches up within seconds or a few minutes. What is still shown after so long is there: the 404 that ended
// the life was an outage, or the resource was restored, and without this it would be missing from the log for good.
const stillThere = 15 * time.Minute

// credible is a fact without the times that MK.IO's clock has not reached (zero: it is not known for sure, and all
// count). MK.IO did not tell them, or by mistake, or its clock was set back since; with them nothing that MK.IO shows
// would be newer until those times come.
func (f Fact) credible(clock time.Time) Fact {
	if clock.IsZero() {
		return f
	}
	for _, t := range []*time.Time{&f.At, &f.Modified} {
		if t.After(clock.Add(mostAhead)) {
			*t = time.Time{}
		}
	}
	for _, t := range []*time.Time{&f.SeenAfter, &f.SeenBefore} {
		if t.After(clock.Add(Skew)) {
			*t = time.Time{}
		}
	}
	return f
}

// outdated says whether MK.IO took what a poll saw before the recorded state was seen, or came about: then it decides
// nothing, whatever else it says. Two answers of now may come from servers whose clocks are apart by the [Skew]; a stored
// copy must be newer by all means, and where nothing recorded has a time it never is.
func outdated(recorded Fact, seen Observation) bool {
	if seen.Basis == nil || seen.SeenBefore.IsZero() {
		return false
	}
	changed := latest(recorded.At, recorded.Modified)
	if seen.Stored && changed.IsZero() && recorded.SeenBefore.IsZero() {
		return true
	}
	before := func(t time.Time) bool { return t.After(seen.SeenBefore.Add(Skew)) }
	if seen.Stored {
		before = func(t time.Time) bool { return !t.Before(seen.SeenBefore) }
	}
	switch {
	case !recorded.SeenBefore.IsZero() && before(recorded.SeenBefore):
		return true
	case order(changed, seen.Modified) == newer:
		return false // the clock of MK.IO's records may be ahead of that of its answers
	}
	return !changed.IsZero() && before(changed)
}

// newerThanEnd says whether MK.IO shows something newer than the recorded end to a poll: a record that was modified after
// it, or the same record for so long that the end cannot have been one.
func newerThanEnd(recorded Fact, seen Observation) bool {
	end := recorded.latest()
	return end.IsZero() || // no time of it counts
		seen.Modified.After(end.Add(Skew)) ||
		!seen.SeenBefore.Before(end.Add(stillThere))
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

// latest is when the recorded state was true at the latest, as far as is known.
func (f Fact) latest() time.Time { return latest(latest(f.At, f.Modified), f.SeenBefore) }

// StaysEnded is for how long after a moment on MK.IO's clock a recorded end stays one, whatever MK.IO shows of the life then.
func (f Fact) StaysEnded(now time.Time) time.Duration {
	return min(max(0, f.latest().Add(stillThere).Sub(now)), stillThere)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
