package mkiofake

import "time"

// A clock is MK.IO's: it starts anywhere, may run faster than ours, and may be set.
type clock struct {
	start time.Time // what it showed when it was made
	made  time.Time // when that was for us
	speed float64
	last  time.Time     // the latest moment that was stamped, steady
	set   time.Duration // how far it was set off
}

func newClock(start time.Time, speed float64) clock {
	now := time.Now()
	if start.IsZero() {
		start = now
	}
	if speed == 0 {
		speed = 1
	}
	return clock{start: start.UTC().Round(0), made: now, speed: speed}
}

// now is what the clock shows.
func (c *clock) now() time.Time { return c.shown(c.steady()) }

// shown is what the clock, as it is set now, shows at a steady moment.
func (c *clock) shown(steady time.Time) time.Time { return steady.Add(c.set) }

// steady is what the clock would show had nobody set it: what is due, and what was before what, goes by that. It
// does not run behind what was stamped.
func (c *clock) steady() time.Time {
	now := c.start.Add(time.Duration(float64(time.Since(c.made)) * c.speed)).Truncate(time.Microsecond)
	if now.Before(c.last) {
		return c.last
	}
	return now
}

// stamp is the steady time, and never the same again: two changes have an order even where no time passes.
func (c *clock) stamp() time.Time {
	now := c.steady()
	if !now.After(c.last) {
		now = c.last.Add(time.Microsecond)
	}
	c.last = now
	return now
}

// real is how long a while of MK.IO's clock takes for us.
func (c *clock) real(d time.Duration) time.Duration {
	return time.Duration(float64(d) / c.speed)
}

// written is a time as MK.IO writes it.
func written(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// SetClock sets MK.IO's clock by so much, back where that is negative: its Date, and the times in its records and
// deliveries from now on. Scripts and deliveries are due as if nobody had.
func (m *MKIO) SetClock(by time.Duration) { m.locked(func() { m.clock.set += by }) }
