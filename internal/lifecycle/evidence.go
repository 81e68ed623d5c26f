package lifecycle

import "time"

// Records reports whether f is the event of this very observation: the same state of the same life, by the same delivery or
// at the same MK.IO time. If one of them has no time, the record's modification time is compared instead.
func (f Fact) Records(seen Observation) bool {
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

// Matches reports whether an observation is of the recorded state, and as far as is known of the recorded life. It can be no
// news then, whenever the resource was requested.
func (f Fact) Matches(seen Observation) bool {
	return samePair(f, seen) && compareLives(f.withoutFutureTimes(seen.Clock), seen) != otherLife
}

// samePair compares the pair that two neighbours in the log must not share: state and provisioning failure.
func samePair(f Fact, seen Observation) bool {
	return SameState(f.State, seen.State) && (seen.Delivery != nil && seen.Provisioning == "" || // absent in a webhook: no recovery
		ProvisioningFailed(f.Provisioning) == ProvisioningFailed(seen.Provisioning))
}

type lifeComparison uint8

const (
	unknownLife lifeComparison = iota
	sameLife
	otherLife
)

// compareLives reports whether a fact and an observation are of one life.
func compareLives(recorded Fact, seen Observation) lifeComparison {
	if l := compareIDs(recorded.Life, seen.Life); l != unknownLife {
		return l
	}
	if beganAfter(recorded, seen) {
		return otherLife
	}
	return unknownLife
}

// beganAfter reports whether the observed life began after everything recorded. An implied [Deletion] has exactly the time
// at which the next life began.
func beganAfter(recorded Fact, seen Observation) bool {
	last := latest(recorded.At, recorded.Modified)
	switch {
	case last.IsZero() && !recorded.SeenBefore.IsZero():
		return order(recorded.SeenBefore.Add(Skew), seen.Created) == newer
	case SameState(recorded.State, StateDeleted) && !seen.Created.IsZero() && seen.Created.Equal(last):
		return true
	case last.Nanosecond() == 0:
		return order(last, seen.Created.Truncate(time.Second)) == newer // the recorded time may be truncated to seconds
	}
	return order(last, seen.Created) == newer
}

// beganBefore reports whether the observed life is an earlier one than the recorded: it began before the recorded life was
// observed, or observed as deleted. If MK.IO still returns it after [aliveAfter], the recorded life was the stale one.
func beganBefore(recorded Fact, seen Observation) bool {
	last := latest(recorded.At, recorded.SeenBefore)
	switch {
	case last.IsZero() || seen.Created.IsZero() || seen.SeenBefore.After(last.Add(aliveAfter)):
		return false
	case SameState(recorded.State, StateDeleted) && order(recorded.SeenAfter, seen.Created) == newer:
		return false // the deleted life still existed then
	}
	return seen.Created.Add(2 * Skew).Before(last)
}

// compareIDs compares two lives by MK.IO's ids, or by their times of creation. An id and a time cannot be compared.
func compareIDs(a, b string) lifeComparison {
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
	unordered ordering = iota
	newer
	older
)

// compareTimes orders an observation against a recorded fact by MK.IO's times: like with like first, then the time of a
// webhook against the window of a poll.
func compareTimes(recorded Fact, seen Observation) ordering {
	modified, at := order(recorded.Modified, seen.Modified), order(recorded.At, seen.At)
	if seen.Basis == nil && at == older {
		return older // a retry may contain the current record, but its change stays old
	}
	if modified != unordered {
		return modified
	}
	if at != unordered {
		return at
	}
	if seen.At.IsZero() || recorded.SeenBefore.IsZero() {
		return unordered
	}
	if seen.At.After(recorded.SeenBefore) {
		return newer
	}
	if !recorded.SeenAfter.IsZero() && !seen.At.After(recorded.SeenAfter) {
		return older
	}
	return unordered
}

// unmodifiedSince reports whether the observed record was last modified before the recorded change, which it therefore
// lacks. A record without that time is no evidence.
func unmodifiedSince(recorded Fact, seen Observation) bool {
	last := latest(recorded.At, recorded.Modified)
	return !seen.Modified.IsZero() && !last.IsZero() && !seen.Modified.After(last)
}

// Skew is the largest difference assumed between the clocks of MK.IO's servers.
const Skew = 5 * time.Second

// maxAhead is how far MK.IO's time of a change may be ahead of its clock.
const maxAhead = 5 * time.Minute

// aliveAfter is how long after the recorded end of a life MK.IO must still return it before the end counts as wrong. A
// replica that lags catches up within seconds or a few minutes. A resource that is returned for longer exists: the 404 that
// ended its life was an outage, or the resource was restored. Without this rule it would be missing from the log from then on.
const aliveAfter = 15 * time.Minute

// withoutFutureTimes returns a fact without the times that MK.IO's clock has not reached (zero: the clock is not known for
// sure, and all times count). Such times are wrong, or the clock was set back since. With them no response would be newer
// until those times are reached.
func (f Fact) withoutFutureTimes(clock time.Time) Fact {
	if clock.IsZero() {
		return f
	}
	for _, t := range []*time.Time{&f.At, &f.Modified} {
		if t.After(clock.Add(maxAhead)) {
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

// stale reports whether MK.IO generated a poll's response before the recorded state was observed, or reached. Fresh
// responses may come from servers whose clocks differ by the [Skew]; a response from a cache must be strictly newer, and
// without any recorded time it always counts as stale.
func stale(recorded Fact, seen Observation) bool {
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
		return false // the clock of MK.IO's records may be ahead of that of its responses
	}
	return !changed.IsZero() && before(changed)
}

// newerThanEnd reports whether a poll's response is newer than the recorded end: its record was modified after the end, or
// it is from [aliveAfter] the end or later.
func newerThanEnd(recorded Fact, seen Observation) bool {
	end := recorded.latest()
	return end.IsZero() || // the end has no time
		seen.Modified.After(end.Add(Skew)) ||
		!seen.SeenBefore.Before(end.Add(aliveAfter))
}

// order reports whether the second of two times is newer or older; a missing time orders nothing.
func order(recorded, seen time.Time) ordering {
	switch {
	case recorded.IsZero() || seen.IsZero() || recorded.Equal(seen):
		return unordered
	case seen.After(recorded):
		return newer
	}
	return older
}

// latest returns the latest time at which the recorded state is known to have been true.
func (f Fact) latest() time.Time { return latest(latest(f.At, f.Modified), f.SeenBefore) }

// StaysEnded returns how long after now, on MK.IO's clock, a recorded end stays final even if MK.IO still returns the life.
func (f Fact) StaysEnded(now time.Time) time.Duration {
	return min(max(0, f.latest().Add(aliveAfter).Sub(now)), aliveAfter)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
