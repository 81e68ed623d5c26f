//go:build e2e

package e2e

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/torture"
)

// runTorture runs the torture and returns its report. A run ends after MaxFaults faults, so that the tests are the same on a
// machine of any speed; the time limit is for a run that makes no faults. Runs mostly wait and use separate addresses, so
// they may run in parallel.
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

// mustSurvive fails the test if an invariant is violated or fewer than MaxFaults faults were made.
func mustSurvive(t *testing.T, c torture.Config) {
	t.Helper()
	t.Parallel()
	report := runTorture(t, c)
	if len(report.Violations) > 0 || report.Deliveries() == 0 || report.FaultCount() < c.MaxFaults {
		t.Errorf("%d violations, %d deliveries, %d faults", len(report.Violations), report.Deliveries(), report.FaultCount())
	}
}

// Every change must survive these faults; docs/torture.md describes longer runs. This seed first partitions a follower while
// the leader is killed, then loses acknowledgements.
func TestTortureOnACluster(t *testing.T) {
	mustSurvive(t, torture.Config{Seed: 133, MaxFaults: 3, Bridges: 3, Resources: 150})
}

// This seed first fills the disk, then kills the bridge repeatedly.
func TestTortureOfAnEmbeddedServer(t *testing.T) {
	mustSurvive(t, torture.Config{Seed: 31, MaxFaults: 2, Embedded: true, Resources: 100, Faults: []string{"killed", "torn", "full"}})
}

// The torture must detect a bridge that is broken on purpose: else a run without violations proves nothing.
func TestTortureFindsABrokenBridge(t *testing.T) {
	t.Parallel()
	for sabotage, want := range map[string]struct {
		invariant string
		seed      uint64
		faults    []string
	}{
		"no-expected-sequence": {"I1:", 3, []string{"sender cut off"}}, // two bridges that write at once suffice
		"answer-before-ack":    {"I2:", 34, []string{"acknowledgements lost", "bridge killed", "NATS leader killed"}},
	} {
		t.Run(sabotage, func(t *testing.T) {
			t.Parallel()
			report := runTorture(t, torture.Config{Seed: want.seed, MaxFaults: 1, Bridges: 2, Resources: 150, Faults: want.faults, Sabotage: sabotage})
			if found := strings.Join(report.Violations, "\n"); !strings.Contains(found, want.invariant) {
				t.Errorf("the sabotaged bridge violates %s, found only %q", want.invariant, found)
			}
		})
	}
}
