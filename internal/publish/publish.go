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

// Config is what a publisher needs to know.
type Config struct {
	Names   event.Names
	BaseURL string // of MK.IO's API; events' sources lie below it
	// ByArrival takes facts that no evidence orders in order of arrival: for a bridge that cannot ask
	// MK.IO.
	ByArrival      bool
	Log            *slog.Logger
	Tracer         tracing.Tracer
	Streams        streams.Config // as [streams.Ensure] made them: [Publisher.Follow] recreates what somebody deletes
	SurveyInterval time.Duration  // between two surveys of the streams while all is well; 0: half a minute
}

// A Publisher writes events. Its methods may be called from any number of goroutines.
//
// Its fields do not change after [New]; each part guards its own state. The embedded [Heads] is the read side of the cache: by
// it other packages ask for recorded states, and never read the log.
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

// New returns a publisher on streams that [streams.Ensure] has seen, by a JetStream as the broker makes it: it tries a write once.
// [Publisher.Load] fills its cache.
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
	p.follower = newFollower(nc, js, c.Names, c.Log, p.reader, heads, p.metrics.behind)
	p.watchdog = newWatchdog(nc, js, c, p.follower)
	return p
}

// Load fills the cache with the last event of every resource, from the headers of the state
// bucket. It may be called again at any time.
func (p *Publisher) Load(ctx context.Context) error { return p.follower.load(ctx) }

// CaughtUp returns nil if the cache was filled from a state bucket that held all of the log. Otherwise it first fills the
// cache again, and returns an error if the bucket still lags.
func (p *Publisher) CaughtUp(ctx context.Context) error { return p.follower.caughtUp(ctx) }

// Follow keeps the cache true to the log, whoever writes it, and the streams as they must be, until the context
// ends. It is what lets writes through again after JetStream was in trouble.
func (p *Publisher) Follow(ctx context.Context, told OnEvent) {
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { p.watchdog.run(ctx) })
	p.follower.follow(ctx, told, func() { rouse(p.watchdog.wake) })
}

// Ready says why the bridge could not store a delivery now, or why it could not do so lastingly; nil when it can.
func (p *Publisher) Ready(ctx context.Context) error { return p.watchdog.ready(ctx) }

// Trouble says why nothing can be written to the log now, as far as it is known; nil when it can.
func (p *Publisher) Trouble() error { return p.watchdog.trouble() }
