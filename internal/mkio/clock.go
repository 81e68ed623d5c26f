package mkio

import (
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A clock is MK.IO's clock as the Dates of its answers tell it. From the newest Date on it advances with the local
// monotonic clock, so it tells an answer of now from a stored copy, and it does not run backwards: an earlier Date
// becomes the new base only after every answer has agreed with it for a while (see setAfter).
//
// Until a Date has come the clock is not known. It is not sure until that Date has been confirmed, by the bridge's own
// clock or by the answers of some minutes: the first answers may all be stored copies.
type clock struct {
	log *slog.Logger

	mu      sync.Mutex
	base    reading   // the newest Date; zero: none has come
	since   time.Time // local: when the first Date came
	sure    bool
	earlier candidate
}

// A candidate is an earlier time that answers tell, and that the clock may have been set to.
type candidate struct {
	reading
	since time.Time // local: when the first of them came
}

// A reading is what MK.IO's clock said, and when that was on the local clock.
type reading struct{ date, local time.Time }

// driftPart is how much the local clock may run faster than MK.IO's: a thousandth. The estimate stays behind MK.IO's
// clock by that and catches up at each Date; if it ran ahead, true answers would look like stored copies some day.
const driftPart = 1000

// at is the estimate for another moment of the local clock.
func (r reading) at(local time.Time) time.Time {
	passed := local.Sub(r.local)
	return r.date.Add(passed - passed/driftPart)
}

const (
	// setAfter is how long answers must agree on an earlier time before it is taken for the clock's new setting, and
	// how long they must agree on the first one before the clock is sure.
	setAfter = 2 * time.Minute
	// dateStep is how finely an answer's Date tells the time.
	dateStep = time.Second
	// longestAge bounds an answer's Age: what claims more is a mistake.
	longestAge = 10 * 365 * 24 * time.Hour
)

// A question is when a request was sent, on the local clock and by the estimate of then.
type question struct {
	local    time.Time
	estimate time.Time // zero: there was none
}

// ask notes that a request is sent.
func (c *clock) ask() question {
	q := question{local: time.Now()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known() {
		q.estimate = c.base.at(q.local)
	}
	return q
}

func (c *clock) known() bool { return !c.base.local.IsZero() }

// moment says when MK.IO took what an answer shows, by the answer's header. An answer that is MK.IO's own moves the
// clock on.
func (c *clock) moment(q question, h http.Header, own bool) Moment {
	local := time.Now()
	date, err := http.ParseTime(h.Get("Date"))
	dated, age := err == nil, ageOf(h)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !dated {
		return c.undated(q, local, age)
	}
	date = date.UTC()
	fresh := age == 0 && c.upToDate(q, date)
	if own && age == 0 {
		fresh = c.learn(q, reading{date, local}, fresh)
	}
	m := Moment{From: date.Add(q.local.Sub(local)), To: date.Add(dateStep), Clock: c.now(local), Stored: !fresh}
	switch {
	case fresh && c.known():
		m.To = later(m.To, c.base.at(q.local).Add(dateStep)) // a server's clock may be some seconds behind another's
	case age > 0 && c.sure: // some caches renew the Date
		m.To = earlier(m.To, c.base.at(local).Add(dateStep-age))
		m.From = earlier(m.From, m.To)
	}
	return m
}

// undated is the moment of an answer without a Date: the clock's own estimate, or the bridge's clock where none has
// ever come.
func (c *clock) undated(q question, local time.Time, age time.Duration) Moment {
	m := Moment{From: q.local.UTC().Add(-age), To: local.UTC().Add(-age), Stored: age > 0}
	if c.known() {
		m.From, m.To, m.Clock = c.base.at(q.local).Add(-age), c.base.at(local).Add(dateStep-age), c.now(local)
	}
	return m
}

// now is the time, where the clock is sure of it.
func (c *clock) now(local time.Time) time.Time {
	if !c.sure {
		return time.Time{}
	}
	return c.base.at(local)
}

// upToDate says whether a Date may be that of an answer that MK.IO made after the request was sent.
func (c *clock) upToDate(q question, date time.Time) bool {
	if !c.known() {
		return true
	}
	expected := c.base.at(q.local)
	if !q.estimate.IsZero() {
		expected = earlier(expected, q.estimate) // the clock may have been set forward meanwhile
	}
	return notBefore(date, expected)
}

// notBefore compares a Date, which is cut to seconds, with an estimate.
func notBefore(date, estimate time.Time) bool {
	return !date.Add(dateStep + lifecycle.Skew).Before(estimate)
}

// learn takes a Date for the clock, and says whether it is that of an answer of now.
func (c *clock) learn(q question, r reading, fresh bool) bool {
	if !fresh {
		return c.behind(q, r)
	}
	c.earlier = candidate{}
	if !c.known() {
		c.since = r.local
	}
	if !c.known() || r.date.After(c.base.at(r.local)) {
		c.base = r
	}
	c.sure = c.sure || r.local.Sub(c.since) >= setAfter || near(r.date, r.local)
	return true
}

// near says whether the bridge's own clock confirms a Date.
func near(date, local time.Time) bool {
	off := local.Sub(date)
	return -lifecycle.Skew <= off && off <= dateStep+lifecycle.Skew
}

// behind takes a Date that is too early, and says whether it turned out to be that of a clock that was set. Answers
// that agree with each other advance like a clock; a stored copy stands still, and begins the wait anew.
func (c *clock) behind(q question, r reading) (set bool) {
	if c.earlier.since.IsZero() || !notBefore(r.date, c.earlier.at(q.local)) {
		c.earlier = candidate{reading: r, since: r.local}
		return false
	}
	if r.date.After(c.earlier.at(r.local)) {
		c.earlier.reading = r
	}
	if r.local.Sub(c.earlier.since) < setAfter {
		return false
	}
	c.log.Warn("MK.IO's clock was set back, or some answers had told a time ahead of it: the earlier time counts from now on",
		"clock", c.earlier.at(r.local), "back", c.base.at(r.local).Sub(c.earlier.at(r.local)).Round(time.Second),
		"do", "nothing, unless a cache between the bridge and MK.IO answers with old copies: then take it out of the way")
	c.base, c.earlier, c.sure = c.earlier.reading, candidate{}, true
	return true
}

// ageOf is how long an answer has been in a cache, as the cache says; 0: it does not.
func ageOf(h http.Header) time.Duration {
	seconds, err := strconv.ParseInt(h.Get("Age"), 10, 64)
	if err != nil || seconds <= 0 || seconds > int64(longestAge/time.Second) {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
