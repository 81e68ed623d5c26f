package mkio

import (
	"strings"
	"time"
)

// zones are the spellings of a time's zone. A time without one is UTC, as in the job events of Azure Media Services.
var zones = []string{"Z07:00", "Z0700", "Z07", ""}

// parseTime parses RFC 3339 with a fraction of any length, and variants of it in the separator of date and time or in the
// zone. It rejects years that JSON cannot represent; callers treat an invalid time as missing.
func parseTime(s string) (time.Time, bool) {
	s = strings.ToUpper(s)
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t, err = parseLenientTime(s)
	}
	t = t.UTC()
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, false
	}
	return t, true
}

func parseLenientTime(s string) (t time.Time, err error) {
	date, clock, _ := strings.Cut(strings.Replace(strings.TrimSpace(s), " ", "T", 1), "T")
	clock = strings.ReplaceAll(clock, " ", "") // a space may precede the zone
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
