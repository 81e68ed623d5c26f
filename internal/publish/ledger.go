package publish

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// lostAfter is how long a delivery may trail behind the poll that recorded its change. A later one counts as lost, and the
// change as recovered.
const lostAfter = 15 * time.Minute

// A ledger matches changes that a poll recorded with the webhook deliveries expected for them, and counts those whose
// delivery did not arrive. It covers one bridge: it does not see deliveries to another.
type ledger struct {
	mu      sync.Mutex
	awaited map[change]awaitedDelivery
	shown   map[projectKind]bool // kinds with uncertain webhooks of which a delivery arrived

	recovered *prometheus.CounterVec
	lag       prometheus.Histogram
}

type projectKind struct {
	project string
	kind    lifecycle.Kind
}

// A change is a state that a resource reached.
type change struct{ resource, state string }

// An awaitedDelivery is the expected delivery of a change that a poll recorded.
type awaitedDelivery struct {
	since time.Time
	kind  lifecycle.Kind
	via   lifecycle.Via
}

func newLedger() *ledger {
	l := &ledger{
		awaited: map[change]awaitedDelivery{},
		shown:   map[projectKind]bool{},
		recovered: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mkio_bridge_changes_recovered_total",
			Help: "Changes that a poll recorded and that no webhook delivered within 15 minutes, though MK.IO documents a webhook for them or, for live events of the Media API, has sent such before.",
		}, []string{"kind", "via"}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:                        "mkio_bridge_webhook_lag_seconds",
			Help:                        "Time from a poll that recorded a change to the webhook that delivered it.",
			Buckets:                     prometheus.ExponentialBuckets(0.1, 3, 9),
			NativeHistogramBucketFactor: 1.1,
		}),
	}
	for _, kind := range lifecycle.Kinds() {
		if maySendWebhook(kind) { // exported as 0, so that rate() sees the first increment
			l.recovered.WithLabelValues(string(kind), string(lifecycle.Poll))
			l.recovered.WithLabelValues(string(kind), string(lifecycle.History))
		}
	}
	return l
}

// maySendWebhook reports whether MK.IO may send a webhook for any state of a kind.
func maySendWebhook(kind lifecycle.Kind) bool {
	return slices.ContainsFunc(lifecycle.States(kind), func(s lifecycle.StateInfo) bool {
		return lifecycle.SendsWebhook(&lifecycle.Fact{}, lifecycle.Observation{Key: lifecycle.Key{Kind: kind}, State: s.State})
	})
}

// record matches an observation with the awaited deliveries. recorded is the resource's last event before it (nil: none).
func (l *ledger) record(resource string, recorded *lifecycle.Fact, o lifecycle.Observation, verdict lifecycle.Verdict) {
	at := change{resource, event.StateToken(o.State)}
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noteDelivery(recorded, o)
	if expected, ok := l.awaited[at]; ok && now.Sub(expected.since) >= lostAfter {
		l.lost(at, expected) // this observation is of a later change to the same state
	}
	if o.Via == lifecycle.Webhook {
		if expected, ok := l.awaited[at]; ok {
			if !o.Retried { // a retried delivery arrived before now
				l.lag.Observe(now.Sub(expected.since).Seconds())
			}
			delete(l.awaited, at)
		}
		return
	}
	if verdict.News() && !o.Discovered && l.sendsWebhook(recorded, o) {
		l.awaited[at] = awaitedDelivery{now, o.Key.Kind, o.Via}
	}
}

// noteDelivery notes that a project has the webhooks of a kind for which they are uncertain: by a delivery, or by one that the
// log has. The caller holds the lock.
func (l *ledger) noteDelivery(recorded *lifecycle.Fact, o lifecycle.Observation) {
	delivered := o.Via == lifecycle.Webhook || recorded != nil && recorded.Delivery != ""
	if delivered && lifecycle.WebhookUncertain(o.Key.Kind) {
		l.shown[projectKind{o.Key.Project, o.Key.Kind}] = true
	}
}

// sendsWebhook says whether a delivery is expected for the change from the recorded state. The caller holds the lock.
func (l *ledger) sendsWebhook(recorded *lifecycle.Fact, o lifecycle.Observation) bool {
	if lifecycle.WebhookUncertain(o.Key.Kind) && !l.shown[projectKind{o.Key.Project, o.Key.Kind}] {
		return false
	}
	return lifecycle.SendsWebhook(recorded, o)
}

// expire counts the deliveries that were awaited longer than lostAfter.
func (l *ledger) expire(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for at, a := range l.awaited {
		if now.Sub(a.since) >= lostAfter {
			l.lost(at, a)
		}
	}
}

// lost counts a change whose delivery is no longer awaited. The caller holds the lock.
func (l *ledger) lost(at change, a awaitedDelivery) {
	l.recovered.WithLabelValues(string(a.kind), string(a.via)).Inc()
	delete(l.awaited, at)
}

// Describe implements [prometheus.Collector].
func (l *ledger) Describe(ch chan<- *prometheus.Desc) {
	l.recovered.Describe(ch)
	l.lag.Describe(ch)
}

// Collect implements [prometheus.Collector].
func (l *ledger) Collect(ch chan<- prometheus.Metric) {
	l.expire(time.Now())
	l.recovered.Collect(ch)
	l.lag.Collect(ch)
}
