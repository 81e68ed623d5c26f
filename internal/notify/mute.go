package notify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Mute is a time in which a rule sends nothing.
type Mute struct {
	Days []string `json:"days"` // on which it begins
	From string   `json:"from"`
	To   string   `json:"to"`
	Zone string   `json:"zone"`
}

// A window is a parsed [Mute]. From and to are minutes of the day; an end that is not after the beginning is on the next day.
type window struct {
	days     []time.Weekday // none: every day
	from, to int
	zone     *time.Location
}

const minutesOfDay = 24 * 60

// window parses a mute.
func (m Mute) window() (window, error) {
	w := window{zone: time.UTC, to: minutesOfDay}
	if m.Zone != "" {
		var err error
		if w.zone, err = time.LoadLocation(m.Zone); err != nil {
			return w, fmt.Errorf("unknown time zone %q: use a name such as Europe/Oslo", m.Zone)
		}
	}
	if m.From != "" {
		w.from = minuteOf(m.From)
	}
	if m.To != "" {
		w.to = minuteOf(m.To)
	}
	if w.from == w.to {
		return w, fmt.Errorf("from and to are both %s: leave both out for the whole day", m.From)
	}
	for _, day := range m.Days {
		w.days = append(w.days, weekday(day))
	}
	return w, nil
}

// weekday returns the day that begins with three letters. The schema allows no others.
func weekday(day string) time.Weekday {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(d.String()[:3], day) {
			return d
		}
	}
	return time.Sunday
}

// minuteOf returns the minute of the day of HH:MM. The schema allows nothing else.
func minuteOf(text string) int {
	hours, minutes, _ := strings.Cut(text, ":")
	h, _ := strconv.Atoi(hours)
	m, _ := strconv.Atoi(minutes)
	return h*60 + m
}

// contains reports whether a time is in the window.
func (w window) contains(t time.Time) bool {
	t = t.In(w.zone)
	minute := t.Hour()*60 + t.Minute()
	if w.to > w.from {
		return w.on(t.Weekday()) && minute >= w.from && minute < w.to
	}
	return w.on(t.Weekday()) && minute >= w.from || w.on((t.Weekday()+6)%7) && minute < w.to
}

func (w window) on(d time.Weekday) bool { return len(w.days) == 0 || slices.Contains(w.days, d) }

// Muted reports whether the rule sends nothing at a time.
func (r *Rule) Muted(t time.Time) bool {
	return slices.ContainsFunc(r.mutes, func(w window) bool { return w.contains(t) })
}
