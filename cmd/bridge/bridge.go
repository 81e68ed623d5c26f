package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/broker"
	"mkio-bridge/internal/edge"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/ingest"
	"mkio-bridge/internal/jobs"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/noanswer"
	"mkio-bridge/internal/poll"
	"mkio-bridge/internal/progress"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/status"
	"mkio-bridge/internal/streams"
)

// A bridge is the service with all its parts connected. [open] builds it, serve runs it, close closes NATS.
type bridge struct {
	config    config
	log       *slog.Logger
	names     event.Names
	embedded  *broker.Embedded // nil with external NATS servers
	nats      *nats.Conn
	js        jetstream.JetStream
	publisher *publish.Publisher
	poller    *poll.Poller    // nil without a token
	progress  *progress.Store // nil: BRIDGE_PROGRESS is false
	ingest    *ingest.Handler
	events    *eventlog.Log
	jobs      *jobs.Runner
	status    *status.Reader
	metrics   *prometheus.Registry
	stopping  context.Context // canceled when serve begins to stop: /readyz fails, and event streams end
	stop      func()          // cancels stopping
	lameDuck  *edge.LameDuck  // delays the stop until load balancers have seen /readyz fail

	// Of the webhook listener.
	certificate *edge.Certificate // nil: no TLS
	clientCAs   *edge.ClientCAs   // nil: clients need no certificate
	tlsFailures prometheus.Counter
}

// open builds a bridge that is ready to serve: NATS is connected, the streams are verified or created, and the cache holds
// the head of every resource. After an error nothing stays open.
func open(ctx context.Context, c config, log *slog.Logger) (*bridge, error) {
	b := &bridge{config: c, log: log, names: event.NewNames(c.SubjectPrefix), lameDuck: edge.NewLameDuck()}
	b.stopping, b.stop = context.WithCancel(context.Background())
	if err := b.open(ctx); err != nil {
		if b.js != nil {
			err = noanswer.Explain(ctx, b.js, err, "")
		}
		b.close()
		return nil, err
	}
	return b, nil
}

// open builds the parts in dependency order. After an error, close closes those that were opened.
func (b *bridge) open(ctx context.Context) (err error) {
	if b.certificate, b.clientCAs, err = loadTLS(b.config); err != nil {
		return usageError{err}
	}
	if err := b.connect(ctx); err != nil {
		return err
	}
	if b.js, err = broker.NewJetStreamInDomain(b.nats, b.config.NatsDomain); err != nil {
		return err
	}
	b.events = eventlog.New(b.js, b.names)
	if err := streams.Ensure(ctx, b.js, b.streams()); err != nil {
		return err
	}
	b.publisher = publish.New(b.nats, b.js, publish.Config{
		Names:          b.names,
		BaseURL:        b.config.MkioURL,
		ByArrival:      !b.config.hasToken(),
		Log:            b.log,
		Tracer:         b.config.tracer,
		Streams:        b.streams(),
		SurveyInterval: max(b.config.PollActive, minSurveyInterval),
	})
	if err := b.publisher.Load(ctx); err != nil {
		return err
	}
	if err := b.checkIdentity(ctx); err != nil {
		return err
	}
	if b.ingest, err = b.newIngest(); err != nil {
		return err
	}
	if b.jobs, err = b.newJobs(ctx); err != nil {
		return err
	}
	b.status = b.newStatus()
	b.progress = b.newProgress()
	b.tlsFailures = edge.NewTLSFailures()
	parts := [][]prometheus.Collector{b.publisher.Collectors(), b.ingest.Collectors(), {edge.Expiry{Certificate: b.certificate}, b.tlsFailures}}
	if b.config.hasToken() {
		client, err := b.config.client(b.log)
		if err != nil {
			return err
		}
		if b.poller, err = b.newPoller(ctx, client); err != nil {
			return err
		}
		parts = append(parts, client.Collectors(), b.poller.Collectors(), []prometheus.Collector{rateLimit(b.config)})
	}
	b.metrics = newRegistry(parts...)
	return nil
}

// connect connects to external NATS servers, or starts the embedded one and connects to it.
func (b *bridge) connect(ctx context.Context) error {
	c := b.config
	if c.NatsURL != "" {
		nc, err := broker.Connect(ctx, natsConfig(c, b.log))
		if err != nil {
			return connectError(err)
		}
		b.nats = nc
		return nil
	}
	var err error
	b.embedded, err = broker.Start(broker.EmbeddedConfig{
		StoreDir:     c.StoreDir,
		Listen:       c.NatsListen,
		ReaderToken:  c.readerToken(),
		MaxReaders:   edge.Slots(readerShare),
		SyncAlways:   c.Sync == 0,
		SyncInterval: time.Duration(c.Sync),
		HiddenHeader: event.HeaderProbe,
		ReadSubjects: []string{b.names.EventSubjects(), b.names.UnappliedPrefix() + ".>", b.names.AuditPrefix() + ".>"},
		Log:          b.log,
	})
	if err != nil {
		return settingError(err)
	}
	b.nats, err = b.embedded.Connect()
	return err
}

// readerToken returns a function that reads the token of the embedded server's readers; nil when they need none.
func (c config) readerToken() func() string {
	if c.NatsReaderToken.value() == "" {
		return nil
	}
	return c.NatsReaderToken.value
}

func (b *bridge) streams() streams.Config { return b.config.streams() }

// streams returns how the streams are to be created and verified.
func (c config) streams() streams.Config {
	return streams.Config{
		Names:    event.NewNames(c.SubjectPrefix),
		Replicas: c.StreamReplicas,
		MaxAge:   c.MaxAge,
		MaxBytes: int64(c.StreamMaxBytes),
		Create:   c.StreamManage == "create",
		Progress: c.Progress,
	}
}

func (b *bridge) newIngest() (*ingest.Handler, error) {
	policy, err := mkio.ParseResourcePolicy(b.config.Resource)
	if err != nil {
		return nil, err
	}
	correlation, err := mkio.ParseCorrelationPolicy(b.config.Correlation)
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(b.config.MkioURL)
	if err != nil {
		return nil, err
	}
	return ingest.New(ingest.Config{
		Observer:    b.publisher,
		Unapplied:   b.publisher,
		Deleter:     b.publisher,
		Previewer:   b.publisher,
		Decoder:     mkio.Decoder{Projects: b.config.Projects, Resource: policy, Correlation: correlation},
		Secrets:     b.config.WebhookSecrets.all,
		Origins:     []string{base.Hostname()},
		MaxBody:     int64(b.config.MaxBody),
		MaxBodyName: "BRIDGE_MAX_BODY",
		Log:         b.log,
		Token:       b.publisher.Token,
		Tracer:      b.config.tracer,
	}), nil
}

// minSurveyInterval is the minimum interval between two surveys of healthy streams. They are otherwise surveyed as often as
// resources in motion are polled.
const minSurveyInterval = time.Second

// ready returns why the bridge cannot store a delivery now; nil when it can. The error of a missing stream includes the
// advice, because readers of /readyz may not see the log.
func (b *bridge) ready(ctx context.Context) error {
	err := b.publisher.Ready(ctx)
	if _, missing := errors.AsType[*streams.MissingError](err); missing {
		return fmt.Errorf("%w: %s", err, advice(err))
	}
	if err != nil {
		return err
	}
	return b.publisher.CaughtUp(ctx)
}

// close ends the jobs, closes the connection to NATS, which flushes pending publishes, and shuts the embedded server down.
func (b *bridge) close() {
	b.stop()
	if b.jobs != nil {
		b.jobs.Stop()
	}
	if b.nats != nil {
		b.nats.Close()
	}
	if b.embedded != nil {
		b.embedded.Shutdown()
	}
}
