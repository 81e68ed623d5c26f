package eventlog_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
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

func TestParseList(t *testing.T) {
	parse := eventlog.ListOf(lifecycle.ParseVia)
	for given, want := range map[string]string{
		"poll": "[poll]", "poll,webhook": "[poll webhook]", "poll , poll": "[poll]",
		"": "error", "poll,": "error", "poll,pool": "error",
	} {
		got, err := parse(given)
		if text := fmt.Sprint(got); err == nil && text != want || (err != nil) != (want == "error") {
			t.Errorf("%q is %s, %v, want %s", given, text, err, want)
		}
	}
	for given, want := range map[string]int{"": 0, "a": 1, "a, b": 2, "a,": -1, ",a": -1} {
		if got, err := eventlog.ParseWords(given); err == nil && len(got) != want || (err != nil) != (want < 0) {
			t.Errorf("%q is %q, %v, want %d", given, got, err, want)
		}
	}
	var many []string
	for i := range 21 {
		many = append(many, fmt.Sprint("p", i))
	}
	if got, err := eventlog.ParseWords(strings.Join(many[1:], ",")); err != nil || len(got) != 20 {
		t.Errorf("20 values: %q, %v", got, err)
	}
	if _, err := eventlog.ParseWords(strings.Join(many, ",")); err == nil || !strings.Contains(err.Error(), "at most 20") {
		t.Errorf("21 values: %v", err)
	}
}
