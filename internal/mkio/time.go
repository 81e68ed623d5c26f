package mkio

import (
	"strings"
	"time"
)

// zones are the ways to write a time's offset from UTC. A time without one is taken as UTC: that is how the job events of
// Azure Media Services had theirs.
var zones = []string{"Z07:00", "Z0700", "Z07", ""}

// parseTime reads what is plainly a time: one of RFC 3339 with a fraction of any length, or one that differs from it in
// the separator of date and time or in how the zone is written. Years that JSON could not carry on are refused, and what
// is no time is as good as missing to whoever asks.
func parseTime(s string) (time.Time, bool) {
	s = strings.ToUpper(s)
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t, err = parseOddTime(s)
	}
	t = t.UTC()
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, false
	}
	return t, true
}

func parseOddTime(s string) (t time.Time, err error) {
	date, clock, _ := strings.Cut(strings.Replace(strings.TrimSpace(s), " ", "T", 1), "T")
	clock = strings.ReplaceAll(clock, " ", "") // one may stand before the zone
	if before, ok := strings.CutSuffix(clock, "UTC"); ok {
		clock = before + "Z"
	}
	for _, zone := range zones {
		if t, err = time.Parse(time.DateOnly+"T"+time.TimeOnly+zone, date+"T"+clock); err == nil {
			return t, nil
		}
	}
	return time.Time{}, err
}
