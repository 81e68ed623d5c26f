package lifecycle

import (
	"fmt"
	"slices"
	"strings"
)

// ParseKind parses the name of a kind.
func ParseKind(text string) (Kind, error) {
	if Kind(text).Depth() == 0 {
		return "", fmt.Errorf("unknown kind %q; kinds are %s", text, joinNames(Kinds()))
	}
	return Kind(text), nil
}

// ParsePhase parses the name of a phase.
func ParsePhase(text string) (Phase, error) {
	if !slices.Contains(Phases(), Phase(text)) {
		return "", fmt.Errorf("unknown phase %q; phases are %s", text, joinNames(Phases()))
	}
	return Phase(text), nil
}

// ParseVia parses the name of a source.
func ParseVia(text string) (Via, error) {
	if !slices.Contains(Vias(), Via(text)) {
		return "", fmt.Errorf("unknown source %q; sources are %s", text, joinNames(Vias()))
	}
	return Via(text), nil
}

// ParseReason parses the name of a reason.
func ParseReason(text string) (Reason, error) {
	if !slices.Contains(Reasons(), Reason(text)) {
		return "", fmt.Errorf("unknown reason %q; reasons are %s", text, joinNames(Reasons()))
	}
	return Reason(text), nil
}

func joinNames[S ~string](words []S) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}
