package mkio

import (
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A clock estimates MK.IO's clock from the Date headers of its responses. From the newest Date on it advances with the local
// monotonic clock. That distinguishes a current response from a stored copy. The estimate does not run backwards: an earlier
// Date becomes the new base only after all responses have agreed with it for a while (see agreeFor).
//
// The estimate is known from the first Date on. It is confirmed once that Date agrees with the bridge's own clock, or with
// the responses of some minutes: the first responses may all be stored copies.
type clock struct {
	log *slog.Logger

	mu        sync.Mutex
	base      reading   // the newest Date; zero: none yet
	since     time.Time // local time of the first Date
	confirmed bool
	candidate candidate
}

// A candidate is an earlier time that responses agree on: MK.IO's clock may have been set back to it.
type candidate struct {
	reading
	since time.Time // local time of the first of them
}

// A reading is a Date of MK.IO and the local time at which it arrived.
type reading struct{ date, local time.Time }

// driftDivisor bounds how much the local clock may run faster than MK.IO's: by a thousandth. The estimate lags MK.IO's clock
// by that and catches up at each Date. If it ran ahead, current responses would eventually look like stored copies.
const driftDivisor = 1000

// at returns the estimate at a local time.
func (r reading) at(local time.Time) time.Time {
	passed := local.Sub(r.local)
	return r.date.Add(passed - passed/driftDivisor)
}

const (
	// agreeFor is how long responses must agree on an earlier time before the clock is set back to it, and on the first
	// one before the clock is confirmed.
	agreeFor = 2 * time.Minute
	// dateStep is the resolution of a Date.
	dateStep = time.Second
	// maxAge is the longest Age that is believed.
	maxAge = 10 * 365 * 24 * time.Hour
)

// requestTimes are when a request was sent, by the local clock and by the estimate at that time.
type requestTimes struct {
	local    time.Time
	estimate time.Time // zero: not known
}

// sent records that a request is sent.
func (c *clock) sent() requestTimes {
	q := requestTimes{local: time.Now()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known() {
		q.estimate = c.base.at(q.local)
	}
	return q
}

func (c *clock) known() bool { return !c.base.local.IsZero() }

// asOf returns the time at which a response was current, from its headers. A response of MK.IO itself (own) also updates the
// clock.
func (c *clock) asOf(q requestTimes, h http.Header, own bool) AsOf {
	local := time.Now()
	date, err := http.ParseTime(h.Get("Date"))
	dated, age := err == nil, ageOf(h)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !dated {
		return c.undated(q, local, age)
	}
	date = date.UTC()
	fresh := age == 0 && c.current(q, date)
	if own && age == 0 {
		fresh = c.learn(q, reading{date, local}, fresh)
	}
	m := AsOf{From: date.Add(q.local.Sub(local)), To: date.Add(dateStep), Clock: c.confirmedNow(local), Stored: !fresh}
	switch {
	case fresh && c.known():
		m.To = laterOf(m.To, c.base.at(q.local).Add(dateStep)) // the clocks of MK.IO's servers may differ by seconds
	case age > 0 && c.confirmed: // some caches rewrite the Date
		m.To = earlierOf(m.To, c.base.at(local).Add(dateStep-age))
		m.From = earlierOf(m.From, m.To)
	}
	return m
}

// undated returns the AsOf of a response without a Date: by the estimate, or by the bridge's clock if no Date has
// ever arrived.
func (c *clock) undated(q requestTimes, local time.Time, age time.Duration) AsOf {
	m := AsOf{From: q.local.UTC().Add(-age), To: local.UTC().Add(-age), Stored: age > 0}
	if c.known() {
		m.From, m.To, m.Clock = c.base.at(q.local).Add(-age), c.base.at(local).Add(dateStep-age), c.confirmedNow(local)
	}
	return m
}

// confirmedNow returns the estimate if it is confirmed, else zero.
func (c *clock) confirmedNow(local time.Time) time.Time {
	if !c.confirmed {
		return time.Time{}
	}
	return c.base.at(local)
}

// current reports whether MK.IO may have made the response with this Date after the request was sent.
func (c *clock) current(q requestTimes, date time.Time) bool {
	if !c.known() {
		return true
	}
	expected := c.base.at(q.local)
	if !q.estimate.IsZero() {
		expected = earlierOf(expected, q.estimate) // the base may have been set forward since
	}
	return notBefore(date, expected)
}

// notBefore reports whether a Date, which is truncated to seconds, is not before an estimate.
func notBefore(date, estimate time.Time) bool {
	return !date.Add(dateStep + lifecycle.Skew).Before(estimate)
}

// learn updates the clock with a Date, and reports whether the response is current.
func (c *clock) learn(q requestTimes, r reading, fresh bool) bool {
	if !fresh {
		return c.setBack(q, r)
	}
	c.candidate = candidate{}
	if !c.known() {
		c.since = r.local
	}
	if !c.known() || r.date.After(c.base.at(r.local)) {
		c.base = r
	}
	c.confirmed = c.confirmed || r.local.Sub(c.since) >= agreeFor || confirms(r.date, r.local)
	return true
}

// confirms reports whether the bridge's own clock agrees with a Date.
func confirms(date, local time.Time) bool {
	off := local.Sub(date)
	return -lifecycle.Skew <= off && off <= dateStep+lifecycle.Skew
}

// setBack handles a Date before the estimate, and reports whether the clock was set back to it. Responses of a clock that was
// set back advance with time; a stored copy stands still and restarts the wait.
func (c *clock) setBack(q requestTimes, r reading) (set bool) {
	if c.candidate.since.IsZero() || !notBefore(r.date, c.candidate.at(q.local)) {
		c.candidate = candidate{reading: r, since: r.local}
		return false
	}
	if r.date.After(c.candidate.at(r.local)) {
		c.candidate.reading = r
	}
	if r.local.Sub(c.candidate.since) < agreeFor {
		return false
	}
	c.log.Warn("MK.IO's clock was set back; using the earlier time",
		"clock", c.candidate.at(r.local), "back", c.base.at(r.local).Sub(c.candidate.at(r.local)).Round(time.Second),
		"do", "nothing, unless a cache between the bridge and MK.IO serves stale responses: then bypass it")
	c.base, c.candidate, c.confirmed = c.candidate.reading, candidate{}, true
	return true
}

// ageOf returns the Age of a response; 0 if missing or invalid.
func ageOf(h http.Header) time.Duration {
	seconds, err := strconv.ParseInt(h.Get("Age"), 10, 64)
	if err != nil || seconds <= 0 || seconds > int64(maxAge/time.Second) {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

func earlierOf(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func laterOf(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
