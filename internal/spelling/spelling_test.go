package spelling_test

import (
	"testing"

	"mkio-bridge/internal/spelling"
)

func TestNearest(t *testing.T) {
	known := []string{"kind", "project", "name", "state", "phase"}
	for given, want := range map[string]string{
		"knid": "kind", "Project": "project", "phaze": "phase", "stat": "state", "nam": "name", "kinds": "kind",
		"": "kind", // the same distance as to name: the first wins
	} {
		if got := spelling.Nearest(given, known); got != want {
			t.Errorf("the nearest to %q is %s, want %s", given, got, want)
		}
	}
}
