package torture_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/torture"
)

// run tortures bridges, which are processes of their own: the race detector does not see into them.
func run(t *testing.T, c torture.Config) *torture.Report {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes a minute or two")
	}
	c.Dir = t.TempDir()
	c.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	report, err := torture.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", report)
	return report
}

// The half minute of torture that every change must survive. See docs/torture.md for longer ones.
func TestHalfAMinuteOnACluster(t *testing.T) {
	report := run(t, torture.Config{Seed: 1, For: 30 * time.Second, Bridges: 3, Slots: 150})
	if len(report.Violations) > 0 || report.Deliveries() == 0 || report.Made() < 3 {
		t.Errorf("%d violations, %d deliveries, %d faults", len(report.Violations), report.Deliveries(), report.Made())
	}
}

func TestKilledAgainAndAgainWithAnEmbeddedServer(t *testing.T) {
	report := run(t, torture.Config{Seed: 1, For: 15 * time.Second, Embedded: true, Slots: 100, Faults: []string{"killed", "torn", "full"}})
	if len(report.Violations) > 0 || report.Deliveries() == 0 || report.Made() < 2 {
		t.Errorf("%d violations, %d deliveries, %d faults", len(report.Violations), report.Deliveries(), report.Made())
	}
}

// A harness that finds nothing must prove that it can.
func TestABrokenBridgeIsFound(t *testing.T) {
	for sabotage, want := range map[string]struct {
		invariant string
		faults    []string
	}{
		"no-expected-sequence": {"I1:", []string{"sender cut off"}}, // deliveries to two bridges at once suffice
		"answer-before-ack":    {"I2:", []string{"acknowledgements lost", "bridge killed", "NATS leader killed"}},
	} {
		t.Run(sabotage, func(t *testing.T) {
			report := run(t, torture.Config{Seed: 1, For: 10 * time.Second, Bridges: 2, Slots: 150, Faults: want.faults, Sabotage: sabotage})
			if found := strings.Join(report.Violations, "\n"); !strings.Contains(found, want.invariant) {
				t.Errorf("the bridge is broken, and found was only %q", found)
			}
		})
	}
}
