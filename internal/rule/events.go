package rule

import (
	"errors"
	"slices"
	"strings"
	"time"

	"mkio-bridge/internal/mkio"
)

// optional are beginnings of types that not every organisation has, the most likely to be missing first.
var optional = []string{"MediaKind.ScheduledOperation", "MediaKind.ChannelInstance"}

// wantedTypes are all, or for a day those that MK.IO accepted; asked is when all are asked for.
func wantedTypes(n note, now time.Time) (types []string, asked time.Time) {
	if len(n.Events) > 0 && now.Sub(n.Asked) < fullAgain {
		return n.Events, n.Asked
	}
	return mkio.Types(), now
}

// withoutNamed drops the types that a refusal names.
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

func without(types []string, drop func(string) bool) []string {
	return slices.DeleteFunc(slices.Clone(types), drop)
}

// missing are the types of one list that another lacks.
func missing(from, in []string) []string {
	return without(from, func(t string) bool { return slices.Contains(in, t) })
}
