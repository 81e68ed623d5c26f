package eventlog

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// ParseBy parses the name of a [By].
func ParseBy(text string) (By, error) {
	if !slices.Contains(Bys(), By(text)) {
		return "", fmt.Errorf("%q must be recorded or time", text)
	}
	return By(text), nil
}

// ParseResource parses KIND/PROJECT/NAME…, with each name percent-encoded as in a URL.
func ParseResource(text string) (lifecycle.Key, error) {
	parts := strings.Split(text, "/")
	for i, part := range parts {
		name, err := url.PathUnescape(part)
		if err != nil {
			return lifecycle.Key{}, fmt.Errorf("%q is not KIND/PROJECT/NAME…: %w", text, err)
		}
		parts[i] = name
	}
	if len(parts) < 3 {
		return lifecycle.Key{}, fmt.Errorf("%q is not KIND/PROJECT/NAME…, such as job/aurora-vod/ladder-hd/ep-0417", text)
	}
	kind, err := lifecycle.ParseKind(parts[0])
	if err != nil {
		return lifecycle.Key{}, err
	}
	return lifecycle.NewKey(kind, parts[1], parts[2:]...)
}

// maxValues is how many values a filter may have: a consumer gets a subject filter for each.
const maxValues = 20

// ParseList parses values that are separated by commas. Repeated ones are dropped, because subject filters must not overlap.
func ParseList[T comparable](text string, parse func(string) (T, error)) ([]T, error) {
	var values []T
	for part := range strings.SplitSeq(text, ",") {
		value, err := parse(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		if !slices.Contains(values, value) {
			values = append(values, value)
		}
	}
	if len(values) > maxValues {
		return nil, fmt.Errorf("%d values: at most %d are allowed", len(values), maxValues)
	}
	return values, nil
}

// ListOf returns a parser of values that are separated by commas.
func ListOf[T comparable](parse func(string) (T, error)) func(string) ([]T, error) {
	return func(text string) ([]T, error) { return ParseList(text, parse) }
}

// ParseWords parses projects or states, which may be any text; "" is none, which selects all.
func ParseWords(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	return ParseList(text, func(word string) (string, error) {
		if word == "" {
			return "", errors.New("a value between two commas is empty")
		}
		return word, nil
	})
}

// TimeForms describes what [ParseTime] accepts, for help texts.
const TimeForms = "how long ago (2h, 1d), RFC 3339, or a date, which is the beginning of that day (UTC)"

// ParseTime parses a time: how long ago, RFC 3339, or a date.
func ParseTime(text string) (time.Time, error) {
	if ago, err := parseDuration(text); err == nil {
		return time.Now().Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a duration such as 2h or 1d, nor a time such as 2031-03-04T10:00:00Z, nor a date such as 2031-03-04", text)
}

// maxDays is the largest number of days of a duration.
const maxDays = 100 * 365

// parseDuration is [time.ParseDuration] with days, of 24 hours, in front: 1d, 1d12h.
func parseDuration(text string) (time.Duration, error) {
	number, rest, hasDays := strings.Cut(text, "d")
	if !hasDays {
		return time.ParseDuration(text)
	}
	days, err := strconv.ParseUint(number, 10, 32)
	if err != nil || days > maxDays {
		return 0, fmt.Errorf("%q is not a number of days", number)
	}
	ago := time.Duration(days) * 24 * time.Hour
	if rest == "" {
		return ago, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 || more >= 24*time.Hour {
		return 0, fmt.Errorf("%q is not a duration of less than a day", rest)
	}
	return ago + more, nil
}
