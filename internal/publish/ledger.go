package publish

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// lostAfter is how long a delivery may trail behind the poll that saw its change. One that has not come
// by then counts as lost, and the change as recovered.
const lostAfter = 15 * time.Minute

// A ledger matches changes that a poll recorded with the webhook deliveries that should have brought them, and counts those
// whose delivery never came. It is of one bridge: it does not see a delivery that came to another.
type ledger struct {
	mu      sync.Mutex
	awaited map[change]awaited

	recovered *prometheus.CounterVec
	lag       prometheus.Histogram
}

// A change is a state that a resource reached.
type change struct{ resource, state string }

// awaited is a change whose delivery has not come yet.
type awaited struct {
	since time.Time
	kind  lifecycle.Kind
	via   lifecycle.Via
}

func newLedger() *ledger {
	l := &ledger{
		awaited: map[change]awaited{},
		recovered: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mkio_bridge_changes_recovered_total",
			Help: "Changes that a poll recorded and that no webhook has told within 15 minutes, though MK.IO documents that it tells them.",
		}, []string{"kind", "via"}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:                        "mkio_bridge_webhook_lag_seconds",
			Help:                        "How long after a poll had recorded a change its webhook came.",
			Buckets:                     prometheus.ExponentialBuckets(0.1, 3, 9),
			NativeHistogramBucketFactor: 1.1,
		}),
	}
	for _, kind := range lifecycle.Kinds() {
		if everTold(kind) { // what is lost first is not to be missed because nothing was before
			l.recovered.WithLabelValues(string(kind), string(lifecycle.Poll))
			l.recovered.WithLabelValues(string(kind), string(lifecycle.History))
		}
	}
	return l
}

// everTold says whether MK.IO tells any change of a kind.
func everTold(kind lifecycle.Kind) bool {
	return slices.ContainsFunc(lifecycle.States(kind), func(s lifecycle.StateInfo) bool {
		return lifecycle.SendsWebhook(&lifecycle.Fact{}, lifecycle.Observation{Key: lifecycle.Key{Kind: kind}, State: s.State})
	})
}

// note takes down what became of an observation of a resource whose last event was recorded (nil: none).
func (l *ledger) note(resource string, recorded *lifecycle.Fact, o lifecycle.Observation, verdict lifecycle.Verdict) {
	at := change{resource, event.StateToken(o.State)}
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if before, ok := l.awaited[at]; ok && now.Sub(before.since) >= lostAfter {
		l.lost(at, before) // it is another change of the same name that comes now
	}
	if o.Via == lifecycle.Webhook {
		if before, ok := l.awaited[at]; ok {
			if !o.Retried { // it came before now
				l.lag.Observe(now.Sub(before.since).Seconds())
			}
			delete(l.awaited, at)
		}
		return
	}
	if verdict.News() && !o.Discovered && lifecycle.SendsWebhook(recorded, o) {
		l.awaited[at] = awaited{now, o.Key.Kind, o.Via}
	}
}

// settle counts what was awaited too long.
func (l *ledger) settle(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for at, a := range l.awaited {
		if now.Sub(a.since) >= lostAfter {
			l.lost(at, a)
		}
	}
}

// lost counts a change whose delivery nobody awaits any longer. The caller holds the lock.
func (l *ledger) lost(at change, a awaited) {
	l.recovered.WithLabelValues(string(a.kind), string(a.via)).Inc()
	delete(l.awaited, at)
}

// Describe makes a ledger a collector.
func (l *ledger) Describe(ch chan<- *prometheus.Desc) {
	l.recovered.Describe(ch)
	l.lag.Describe(ch)
}

// Collect tells the metrics as they are now.
func (l *ledger) Collect(ch chan<- prometheus.Metric) {
	l.settle(time.Now())
	l.recovered.Collect(ch)
	l.lag.Collect(ch)
}
