//go:build e2e

package e2e

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/torture"
)

// runTorture tortures bridges and returns the report. The faults end the run by their number, so that a test can ask for
// that number on a machine of any speed; the time only bounds a run that makes none. A run mostly waits, so those of other
// tests may go on beside it: each has addresses of its own.
func runTorture(t *testing.T, c torture.Config) *torture.Report {
	t.Helper()
	c.For, c.Dir = 5*time.Minute, t.TempDir()
	c.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	report, err := torture.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", report)
	return report
}

// mustSurvive checks that the bridges did nothing wrong while so many faults were made.
func mustSurvive(t *testing.T, c torture.Config) {
	t.Helper()
	t.Parallel()
	report := runTorture(t, c)
	if len(report.Violations) > 0 || report.Deliveries() == 0 || report.FaultCount() < c.MaxFaults {
		t.Errorf("%d violations, %d deliveries, %d faults", len(report.Violations), report.Deliveries(), report.FaultCount())
	}
}

// The faults that every change must survive. See docs/torture.md for longer runs. The seed begins with a follower that is
// partitioned while the leader is killed, and then loses acknowledgements.
func TestTortureOnACluster(t *testing.T) {
	mustSurvive(t, torture.Config{Seed: 133, MaxFaults: 3, Bridges: 3, Resources: 150})
}

// The seed begins with a full disk and then kills the bridge again and again.
func TestTortureOfAnEmbeddedServer(t *testing.T) {
	mustSurvive(t, torture.Config{Seed: 31, MaxFaults: 2, Embedded: true, Resources: 100, Faults: []string{"killed", "torn", "full"}})
}

// Torture that finds nothing must prove that it can: it must find what a bridge that is broken on purpose does wrong.
func TestTortureFindsABrokenBridge(t *testing.T) {
	t.Parallel()
	for sabotage, want := range map[string]struct {
		invariant string
		seed      uint64
		faults    []string
	}{
		"no-expected-sequence": {"I1:", 3, []string{"sender cut off"}}, // deliveries to two bridges at once suffice
		"answer-before-ack":    {"I2:", 34, []string{"acknowledgements lost", "bridge killed", "NATS leader killed"}},
	} {
		t.Run(sabotage, func(t *testing.T) {
			t.Parallel()
			report := runTorture(t, torture.Config{Seed: want.seed, MaxFaults: 1, Bridges: 2, Resources: 150, Faults: want.faults, Sabotage: sabotage})
			if found := strings.Join(report.Violations, "\n"); !strings.Contains(found, want.invariant) {
				t.Errorf("the bridge is broken, and found was only %q", found)
			}
		})
	}
}
