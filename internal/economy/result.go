package economy

import (
	"slices"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A Result is what one way of knowing the states cost on a day, and what it knew.
type Result struct {
	Requests      int
	MostPerMinute int // in any 60 seconds
	Changes       Count
	Finals        Count // final states
	Deletions     Count
	delays        []time.Duration // of the changes seen, sorted

	missedFinals map[*Life]bool
}

// A Count is how many were seen of all.
type Count struct{ Seen, All int }

func (c *Count) add(seen bool) {
	c.All++
	if seen {
		c.Seen++
	}
}

// Delay returns the delay that a share of the changes seen had at most.
func (r Result) Delay(share float64) time.Duration {
	if len(r.delays) == 0 {
		return 0
	}
	return r.delays[min(int(share*float64(len(r.delays))), len(r.delays)-1)]
}

// Lost returns the lives whose final state another way saw, and this one did not. Both are of the same timeline.
func (r Result) Lost(other Result) []*Life {
	var lost []*Life
	for life := range r.missedFinals {
		if !other.missedFinals[life] {
			lost = append(lost, life)
		}
	}
	return lost
}

// A seenAt says when a change of a life was seen; false: it was not.
type seenAt func(l *Life, i int) (at time.Duration, seen bool)

// judge counts what was seen of the changes of a day.
func (t Timeline) judge(see seenAt) Result {
	r := Result{missedFinals: map[*Life]bool{}}
	for _, l := range t.Lives {
		for i, c := range l.Changes {
			if !t.onDay(c) {
				continue
			}
			at, seen := see(l, i)
			seen = seen && at < t.Length
			if c.isDeletion() {
				r.Deletions.add(seen)
				continue
			}
			r.Changes.add(seen)
			if l.isFinal(i) {
				r.Finals.add(seen)
				if !seen {
					r.missedFinals[l] = true
				}
			}
			if seen {
				r.delays = append(r.delays, max(0, at-c.At))
			}
		}
	}
	slices.Sort(r.delays)
	return r
}

// An Observation is a state that the bridge recorded.
type Observation struct {
	Key   lifecycle.Key
	Life  string // "": the event does not say, as that of a deletion
	State string
	At    time.Duration
}

// Bridge returns the result of a bridge: the observations in the order of the log, and when it sent each request.
func (t Timeline) Bridge(log []Observation, requests []time.Duration) Result {
	seen := t.match(log)
	r := t.judge(func(l *Life, i int) (time.Duration, bool) {
		at, ok := seen[l][i]
		return at, ok
	})
	r.Requests, r.MostPerMinute = len(requests), mostPerMinute(requests)
	return r
}

// match finds the change that each observation shows: the latest one with its state that had happened by then. Where a life
// has a state twice and the log has it once, it counts as the later one.
func (t Timeline) match(log []Observation) map[*Life]map[int]time.Duration {
	byKey := map[lifecycle.Key][]*Life{}
	for _, l := range t.Lives {
		byKey[l.Key] = append(byKey[l.Key], l)
	}
	matched := map[*Life]map[int]time.Duration{}
	for _, o := range log {
		for _, l := range byKey[o.Key] {
			if o.Life != "" && o.Life != l.ID {
				continue
			}
			if matched[l] == nil {
				matched[l] = map[int]time.Duration{}
			}
			for i := len(l.Changes) - 1; i >= 0; i-- {
				c := l.Changes[i]
				if _, taken := matched[l][i]; !taken && c.State == o.State && c.At.Truncate(time.Millisecond) <= o.At {
					matched[l][i] = o.At
					break
				}
			}
		}
	}
	return matched
}

// mostPerMinute returns the most requests in any 60 seconds. It sorts the times.
func mostPerMinute(times []time.Duration) int {
	slices.Sort(times)
	most, first := 0, 0
	for last, at := range times {
		for at-times[first] >= time.Minute {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}
