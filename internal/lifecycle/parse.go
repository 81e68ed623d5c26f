package lifecycle

import (
	"fmt"
	"slices"
	"strings"
)

// ParseKind reads a kind that somebody names.
func ParseKind(text string) (Kind, error) {
	if Kind(text).Depth() == 0 {
		return "", fmt.Errorf("there is no kind %q; kinds are %s", text, joined(Kinds()))
	}
	return Kind(text), nil
}

// ParsePhase reads a phase that somebody names.
func ParsePhase(text string) (Phase, error) {
	if !slices.Contains(Phases(), Phase(text)) {
		return "", fmt.Errorf("there is no phase %q; phases are %s", text, joined(Phases()))
	}
	return Phase(text), nil
}

func joined[S ~string](words []S) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}
