package publish

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/streams"
	"mkio-bridge/internal/tracing"
)

// Config configures a publisher.
type Config struct {
	Names   event.Names
	BaseURL string // of MK.IO's API; the sources of events begin with it
	// ByArrival takes observations that no evidence orders in order of arrival: for a bridge without an API token.
	ByArrival      bool
	Log            *slog.Logger
	Tracer         tracing.Tracer
	Streams        streams.Config // as given to [streams.Ensure]: [Publisher.Follow] recreates deleted streams
	SurveyInterval time.Duration  // between two surveys of healthy streams; 0: 30 seconds
}

// A Publisher writes events. Its methods may be called from any number of goroutines.
//
// Its fields do not change after [New]; each part guards its own state. The embedded [Heads] is the read side of the cache,
// by which other packages read recorded states.
type Publisher struct {
	Heads

	nc        *nats.Conn
	js        jetstream.JetStream
	log       *slog.Logger
	tracer    tracing.Tracer
	names     event.Names
	baseURL   string
	byArrival bool

	heads     *heads
	locks     locks
	reader    *reader
	committer *committer
	follower  *follower
	watchdog  *watchdog
	metrics   *metrics
	ledger    *ledger
}

// New returns a publisher on streams that [streams.Ensure] has checked. js must try each write only once, as package broker
// configures it. [Publisher.Load] fills the cache.
func New(nc *nats.Conn, js jetstream.JetStream, c Config) *Publisher {
	heads := newHeads(c.Names)
	p := &Publisher{
		Heads:     Heads{heads},
		heads:     heads,
		nc:        nc,
		js:        js,
		log:       c.Log,
		tracer:    c.Tracer,
		names:     c.Names,
		baseURL:   strings.TrimRight(c.BaseURL, "/"),
		byArrival: c.ByArrival,
		locks:     locks{queues: map[string][]chan struct{}{}},
		reader:    newReader(js, c.Names),
		committer: &committer{nc: nc, js: js},
		metrics:   newMetrics(),
		ledger:    newLedger(),
	}
	p.follower = newFollower(nc, js, c.Names, c.Log, p.reader, heads, p.metrics.tailsBehind)
	p.watchdog = newWatchdog(nc, js, c, p.follower)
	return p
}

// Load fills the cache with the last event of every resource, from the headers of the state bucket. It may be called again
// at any time.
func (p *Publisher) Load(ctx context.Context) error { return p.follower.load(ctx) }

// CaughtUp returns nil if the cache was filled from a state bucket that held all of the log. Otherwise it first fills the
// cache again, and returns an error if the bucket still lags.
func (p *Publisher) CaughtUp(ctx context.Context) error { return p.follower.caughtUp(ctx) }

// LogIdentity returns the identity of the log whose events are cached; "" while the cache does not have all of it, because it is being filled.
func (p *Publisher) LogIdentity() string {
	f := p.follower
	if !f.filled.Load() || f.bucketLags.Load() {
		return ""
	}
	return event.LogIdentity(time.Unix(0, f.logCreated.Load()))
}

// Follow keeps the cache in step with the log, recreates missing streams and closes the circuit breakers again, until the
// context ends. It calls onEvent with each event behind the loaded ones.
func (p *Publisher) Follow(ctx context.Context, onEvent OnEvent) {
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { p.watchdog.run(ctx) })
	p.follower.follow(ctx, onEvent, func() { signal(p.watchdog.wake) })
}

// Ready returns why the bridge cannot store deliveries, now or lastingly; nil if it can.
func (p *Publisher) Ready(ctx context.Context) error { return p.watchdog.ready(ctx) }

// Unavailable returns why the log cannot be written now, as far as known; nil if it can.
func (p *Publisher) Unavailable() error { return p.watchdog.storeErr() }
