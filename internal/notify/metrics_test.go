package notify

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// wantMetric fails the test unless a metric has a value. rule is "" for one without the label.
func wantMetric(t *testing.T, n *Notifier, name, rule string, want float64) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(n.Collectors()...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() != name || rule != "" && m.GetLabel()[0].GetValue() != rule {
				continue
			}
			if got := m.GetCounter().GetValue() + m.GetGauge().GetValue(); got != want {
				t.Errorf("%s of %q is %v, want %v", name, rule, got, want)
			}
			return
		}
	}
	t.Errorf("there is no metric %s of %q", name, rule)
}

// epoch is the beginning of virtual time.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func TestMetricsFollowTheConventions(t *testing.T) {
	t.Parallel()
	n := New(Config{})
	n.metrics.of("a").observe(1, epoch, true)
	registry := prometheus.NewRegistry()
	registry.MustRegister(n.Collectors()...)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}
