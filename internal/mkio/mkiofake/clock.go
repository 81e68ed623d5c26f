package mkiofake

import "time"

// A clock is MK.IO's: it starts anywhere and may run faster than ours.
type clock struct {
	start time.Time // what it showed when it was made
	made  time.Time // when that was for us
	speed float64
	last  time.Time // the latest moment that was stamped
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

// now is the time. It does not run behind what was stamped.
func (c *clock) now() time.Time {
	now := c.start.Add(time.Duration(float64(time.Since(c.made)) * c.speed)).Truncate(time.Microsecond)
	if now.Before(c.last) {
		return c.last
	}
	return now
}

// stamp is the time, and never the same again: two changes have an order even where no time passes.
func (c *clock) stamp() time.Time {
	now := c.now()
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
