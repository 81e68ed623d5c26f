package mkio

import (
	"strings"
	"time"
)

// parseTime reads an RFC 3339 time with a fraction of any length. Years that JSON could not carry on
// are refused.
func parseTime(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(s))
	t = t.UTC()
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, false
	}
	return t, true
}
