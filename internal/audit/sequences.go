package audit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Sequences are ranges of sequences, each with its first and last.
type Sequences [][2]uint64

// ParseSequences parses comma-separated sequences and ranges of sequences, e.g. 12,40-44.
func ParseSequences(text string) (Sequences, error) {
	var all Sequences
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		from, err1 := strconv.ParseUint(first, 10, 64)
		to, err2 := strconv.ParseUint(last, 10, 64)
		if err1 != nil || err2 != nil || from > to {
			return nil, fmt.Errorf("%.64q is neither a sequence nor a range such as 40-44", part)
		}
		all = append(all, [2]uint64{from, to})
	}
	return all, nil
}

// String returns the text of the sequences, as [ParseSequences] takes it.
func (s Sequences) String() string {
	var parts []string
	for _, r := range s {
		part := strconv.FormatUint(r[0], 10)
		if r[1] != r[0] {
			part += "-" + strconv.FormatUint(r[1], 10)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ",")
}

// Has reports whether a sequence is in one of the ranges.
func (s Sequences) Has(sequence uint64) bool {
	return slices.ContainsFunc(s, func(r [2]uint64) bool { return r[0] <= sequence && sequence <= r[1] })
}
