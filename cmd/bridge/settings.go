package main

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// list is a list separated by commas or lines; blanks around items and empty items are ignored.
type list []string

// Decode parses a list.
func (l *list) Decode(value string) error { *l = splitList(value); return nil }

func (l list) String() string { return strings.Join(l, ",") }

func splitList(value string) []string {
	var items []string
	for item := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || r == '\n' }) {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// syncMode is the interval at which the embedded server syncs its files; 0 is always: before each acknowledgement.
type syncMode time.Duration

// Decode parses a mode.
func (s *syncMode) Decode(value string) error {
	if value == "always" {
		*s = 0
		return nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		return errors.New("use always, or an interval such as 2s")
	}
	*s = syncMode(d)
	return nil
}

func (s syncMode) String() string {
	if s == 0 {
		return "always"
	}
	return time.Duration(s).String()
}

// byteSize is a number of bytes, with a unit of B, KiB, MiB or GiB.
type byteSize int64

// Decode parses a size.
func (b *byteSize) Decode(value string) error {
	for _, unit := range []struct {
		name string
		size int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}, {"", 1}} {
		digits, ok := strings.CutSuffix(value, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > (1<<40)/unit.size {
			return errors.New("use a size such as 4MiB")
		}
		*b = byteSize(n * unit.size)
		return nil
	}
	return errors.New("use a size such as 4MiB")
}

func (b byteSize) String() string {
	for _, unit := range []struct {
		name string
		size byteSize
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if b >= unit.size && b%unit.size == 0 {
			return strconv.FormatInt(int64(b/unit.size), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}

// servers is a list of NATS addresses, which may hold passwords.
type servers string

// String masks the user info in front of each host.
func (s servers) String() string {
	all := splitList(string(s))
	for i, server := range all {
		scheme, _, ok := strings.Cut(server, "://")
		if ok {
			scheme += "://"
		} else {
			scheme = ""
		}
		if at := strings.LastIndex(server, "@"); at >= 0 {
			all[i] = scheme + masked + server[at:]
		}
	}
	return strings.Join(all, ",")
}
