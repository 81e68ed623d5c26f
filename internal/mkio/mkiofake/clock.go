package mkiofake

import "time"

// A clock is MK.IO's clock: it starts at any time, may run faster than real time, and may be set.
type clock struct {
	start     time.Time // wall time when created
	createdAt time.Time // real
	speed     float64
	lastStamp time.Time     // latest stamp, steady
	past      time.Time     // steady time of a step that is played afterwards; zero: time passes
	offset    time.Duration // wall minus steady
}

func newClock(start time.Time, speed float64) clock {
	now := time.Now()
	if start.IsZero() {
		start = now
	}
	if speed == 0 {
		speed = 1
	}
	return clock{start: start.UTC().Round(0), createdAt: now, speed: speed}
}

// now returns the wall time.
func (c *clock) now() time.Time { return c.wallTime(c.steady()) }

// wallTime converts a steady time by the clock's current setting.
func (c *clock) wallTime(steady time.Time) time.Time { return steady.Add(c.offset) }

// steady returns the time without any setting of the clock. Due times and the order of changes go by it. It is never before
// the latest stamp.
func (c *clock) steady() time.Time {
	now := c.start.Add(time.Duration(float64(time.Since(c.createdAt)) * c.speed)).Truncate(time.Microsecond)
	if !c.past.IsZero() {
		now = c.past
	}
	if now.Before(c.lastStamp) {
		return c.lastStamp
	}
	return now
}

// stamp returns a steady time that is unique: two changes are ordered even if no time passes between them.
func (c *clock) stamp() time.Time {
	now := c.steady()
	if !now.After(c.lastStamp) {
		now = c.lastStamp.Add(time.Microsecond)
	}
	c.lastStamp = now
	return now
}

// realDuration converts a duration of MK.IO's clock to real time.
func (c *clock) realDuration(d time.Duration) time.Duration {
	return time.Duration(float64(d) / c.speed)
}

// formatTime formats a time as MK.IO does.
func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// SetClock moves MK.IO's clock by a duration, back if negative: its Date, and the times in records and deliveries from now
// on. Scripts and deliveries are due as before.
func (m *MKIO) SetClock(by time.Duration) { m.locked(func() { m.clock.offset += by }) }
