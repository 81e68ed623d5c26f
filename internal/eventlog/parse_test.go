package eventlog_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/eventlog"
)

func TestParseTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		for given, want := range map[string]time.Time{
			"2h":                        now.Add(-2 * time.Hour),
			"1d":                        now.Add(-24 * time.Hour),
			"10d":                       now.Add(-240 * time.Hour),
			"1d12h30m":                  now.Add(-36*time.Hour - 30*time.Minute),
			"0":                         now,
			"2031-03-04":                time.Date(2031, 3, 4, 0, 0, 0, 0, time.UTC),
			"2031-03-04T10:00:00Z":      time.Date(2031, 3, 4, 10, 0, 0, 0, time.UTC),
			"2031-03-04T10:00:00+01:00": time.Date(2031, 3, 4, 9, 0, 0, 0, time.UTC),
		} {
			at, err := eventlog.ParseTime(given)
			if err != nil || !at.Equal(want) {
				t.Errorf("%s is %s, want %s: %v", given, at, want, err)
			}
		}
		for _, given := range []string{"", "yesterday", "d", "1", "1d2d", "1d36h", "1d-1h", "-1d", "1.5d", "99999999999d", "36501d", "2031-3-4", "2031-02-30", "2031-03-04T10:00:00"} {
			at, err := eventlog.ParseTime(given)
			if err == nil || !strings.Contains(err.Error(), "nor a date such as 2031-03-04") || !at.IsZero() {
				t.Errorf("%q is %s: %v", given, at, err)
			}
		}
	})
}
