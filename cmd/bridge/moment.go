package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// momentForms says what [moment] reads.
const momentForms = "how long ago (2h, 1d), RFC 3339, or a date, which is the beginning of that day (UTC)"

// moment reads a point in time: how long ago, RFC 3339, or a date.
func moment(into *time.Time) func(string) error {
	return func(v string) error {
		if ago, err := duration(v); err == nil {
			*into = time.Now().Add(-ago)
			return nil
		}
		for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
			if t, err := time.Parse(layout, v); err == nil {
				*into = t
				return nil
			}
		}
		return fmt.Errorf("%q is neither a duration such as 2h or 1d, nor a time such as 2031-03-04T10:00:00Z, nor a date such as 2031-03-04", v)
	}
}

// mostDays is how many days a duration can have.
const mostDays = 100 * 365

// duration is [time.ParseDuration] with days, of 24 hours, in front: 1d, 1d12h.
func duration(v string) (time.Duration, error) {
	number, rest, hasDays := strings.Cut(v, "d")
	if !hasDays {
		return time.ParseDuration(v)
	}
	days, err := strconv.ParseUint(number, 10, 32)
	if err != nil || days > mostDays {
		return 0, fmt.Errorf("%q is no number of days", number)
	}
	ago := time.Duration(days) * 24 * time.Hour
	if rest == "" {
		return ago, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 || more >= 24*time.Hour {
		return 0, fmt.Errorf("%q is no part of a day", rest)
	}
	return ago + more, nil
}
