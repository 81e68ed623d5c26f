package rule

import (
	"errors"
	"slices"
	"strings"
	"time"

	"mkio-bridge/internal/mkio"
)

// optionalPrefixes are the prefixes of types that some organisations do not have, the most likely to be missing first.
var optionalPrefixes = []string{"MediaKind.ScheduledOperation", "MediaKind.ChannelInstance"}

// wantedTypes returns all types, or, within retryRefusedAfter, those that MK.IO accepted; and when all were last requested.
func wantedTypes(last lastPut, now time.Time) (types []string, requestedAt time.Time) {
	if len(last.Events) > 0 && now.Sub(last.RequestedAt) < retryRefusedAfter {
		return last.Events, last.RequestedAt
	}
	return mkio.Types(), now
}

// withoutNamed removes the types that MK.IO's error names.
func withoutNamed(types []string, err error) []string {
	api, ok := errors.AsType[*mkio.APIError](err)
	if !ok {
		return types
	}
	words := strings.FieldsFunc(api.Detail, func(r rune) bool {
		return r != '.' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
	return without(types, func(t string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Trim(w, ".") == t })
	})
}

func withoutPrefix(types []string, prefix string) []string {
	return without(types, func(t string) bool { return strings.HasPrefix(t, prefix) })
}

func without(types []string, remove func(string) bool) []string {
	return slices.DeleteFunc(slices.Clone(types), remove)
}

// subtract returns the types in from that are not in the other list.
func subtract(from, other []string) []string {
	return without(from, func(t string) bool { return slices.Contains(other, t) })
}
