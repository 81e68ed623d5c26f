package publish_test

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
)

// find returns the value of a publisher's counter or gauge with the given label values, or the sum and count of a histogram.
func find(t *testing.T, p *publish.Publisher, name string, values ...string) (value float64, count uint64) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(p.Collectors()...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var has []string
			for _, l := range m.GetLabel() { // by name
				has = append(has, l.GetValue())
			}
			if family.GetName() == name && slices.Equal(has, values) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetHistogram().GetSampleSum(), m.GetHistogram().GetSampleCount()
			}
		}
	}
	t.Fatalf("no metric %s with labels %v", name, values)
	return 0, 0
}

// Writes are counted by their result, and discovered resources have no age.
func TestWritesAreCountedByTheirResult(t *testing.T) {
	f := setUp(t)
	one, other := f.publisher(false, nil), f.publisher(false, nil)
	if err := other.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	job := key(t, lifecycle.Job, "t", "n")
	started := delivery(job, "Processing", 1)
	started.At = time.Now().Add(-time.Hour)
	f.want(one, started, lifecycle.Changed)
	f.want(other, delivery(job, "Finished", 2), lifecycle.Changed) // whose cache has no head
	found := delivery(key(t, lifecycle.Job, "t", "old"), "Finished", 1)
	found.Via, found.Delivery, found.Basis, found.Discovered = lifecycle.Poll, nil, new(uint64), true
	f.want(one, found, lifecycle.Changed)

	for _, c := range []struct {
		p    *publish.Publisher
		via  string
		what string
		want float64
	}{
		{one, "webhook", "stored", 1},
		{one, "webhook", "conflict", 0},
		{one, "webhook", "failed", 0},
		{one, "poll", "stored", 1},
		{other, "webhook", "stored", 1},
		{other, "webhook", "conflict", 1},
	} {
		if got, _ := find(t, c.p, "mkio_bridge_publishes_total", "job", c.what, c.via); got != c.want {
			t.Errorf("%s by %s: %.0f, want %.0f", c.what, c.via, got, c.want)
		}
	}
	if _, n := find(t, one, "mkio_bridge_event_age_seconds", "poll"); n != 0 {
		t.Errorf("%d ages of discovered resources", n)
	}
	if age, n := find(t, one, "mkio_bridge_event_age_seconds", "webhook"); n != 1 || age < time.Hour.Seconds() {
		t.Errorf("%d ages, together %.0f s, want one of an hour", n, age)
	}
	if n, _ := find(t, one, "mkio_bridge_resources_known", "job"); n != 2 {
		t.Errorf("%.0f jobs are cached", n)
	}
	if n, _ := find(t, other, "mkio_bridge_resources_transitional", "0s", "job"); n != 0 {
		t.Errorf("%.0f jobs are transitional, all are finished", n)
	}
}

// A storage without an active credential is counted until it has one again, or is deleted.
func TestFailedProvisioningIsCounted(t *testing.T) {
	f := setUp(t)
	p := f.publisher(false, nil)
	failed := func() float64 {
		n, _ := find(t, p, "mkio_bridge_resources_provisioning_failed", "storage")
		return n
	}
	observe := func(name, state, provisioning string, second int) {
		t.Helper()
		o := delivery(key(t, lifecycle.Storage, name), state, second)
		o.Via, o.Delivery, o.Provisioning = lifecycle.Poll, nil, provisioning
		fact, _ := p.Recorded(o.Key)
		o.Basis = &fact.Sequence
		f.want(p, o, lifecycle.Changed)
	}
	observe("aurorastore", "Running", "", 1)
	if n := failed(); n != 0 {
		t.Errorf("%.0f are counted, want 0", n)
	}
	observe("aurorastore", "Running", "Failed", 2)
	observe("aurora-s3", "", "Failed", 1)
	if n := failed(); n != 2 {
		t.Errorf("%.0f are counted, want 2", n)
	}
	observe("aurorastore", "Running", "", 3)
	observe("aurora-s3", "Deleted", "", 2)
	if n := failed(); n != 0 {
		t.Errorf("%.0f are counted, want 0", n)
	}
}

// The number of unapplied deliveries comes from the surveys of the streams.
func TestUnappliedDeliveriesAreCounted(t *testing.T) {
	f := setUp(t)
	p := f.publisher(false, nil)
	for _, body := range []string{"one", "two", "two"} {
		if err := p.StoreUnapplied(t.Context(), unapplied(body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, _ := find(t, p, "mkio_bridge_unapplied_stored"); n != 2 {
		t.Errorf("%.0f are stored, want 2", n)
	}
	if connected, _ := find(t, p, "mkio_bridge_nats_connected"); connected != 1 {
		t.Errorf("connected: %.0f", connected)
	}
}
