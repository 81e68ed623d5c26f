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
	if SameState(recorded.State, StateDeleted) && !seen.Created.IsZero() && seen.Created.Equal(last) {
		return true
	}
	if last.Nanosecond() == 0 {
		return order(last, seen.Created.Truncate(time.Second)) == newer // it may have been cut to seconds
	}
	return order(last, seen.Created) == newer
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
	if seen.Basis != nil && ahead(recorded, seen.SeenBefore) {
		return newer
	}
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

// mostAhead is how far a fact's time may be ahead of MK.IO's clock.
const mostAhead = time.Hour

// ahead says whether a fact has a time that MK.IO's clock had not reached when it was asked. MK.IO did not tell it, or
// by mistake, and without this nothing that MK.IO shows would be newer until that time comes.
func ahead(recorded Fact, asked time.Time) bool {
	return !asked.IsZero() && latest(recorded.At, recorded.Modified).After(asked.Add(mostAhead))
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
