package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"mkio-bridge/internal/broker"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/ingest"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/publish"
)

// A bridge is the whole service, wired. [open] builds it, serve runs it, close ends what is left.
type bridge struct {
	config    config
	log       *slog.Logger
	names     event.Names
	embedded  *broker.Embedded // nil on someone else's NATS
	nats      *nats.Conn
	js        jetstream.JetStream
	publisher *publish.Publisher
	ingest    *ingest.Handler
	events    *eventlog.Log
	metrics   *prometheus.Registry
	stopping  context.Context // ends when serve begins to stop: streams of events must not hold it up
}

// open builds a bridge that is ready to serve: NATS is there, the streams are as they must be, and
// every known resource is remembered.
func open(ctx context.Context, c config, log *slog.Logger) (*bridge, error) {
	b := &bridge{config: c, log: log, names: event.NewNames(c.SubjectPrefix)}
	if err := b.open(ctx); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bridge) open(ctx context.Context) error {
	if err := b.connect(ctx); err != nil {
		return err
	}
	var err error
	if b.js, err = jetstream.New(b.nats); err != nil {
		return err
	}
	b.events = eventlog.New(b.js, b.names)
	if err := publish.Ensure(ctx, b.js, b.streams()); err != nil {
		return err
	}
	b.publisher = publish.New(b.nats, b.js, publish.Config{
		Names:     b.names,
		BaseURL:   b.config.MkioURL,
		ByArrival: true,
		Log:       b.log,
	})
	if err := b.publisher.Load(ctx); err != nil {
		return err
	}
	if b.ingest, err = b.newIngest(); err != nil {
		return err
	}
	b.metrics = newRegistry(b.publisher.Collectors(), b.ingest.Collectors())
	return nil
}

// connect opens someone else's NATS, or starts our own.
func (b *bridge) connect(ctx context.Context) error {
	c := b.config
	if c.NatsURL != "" {
		nc, err := broker.Connect(ctx, natsConfig(c, b.log))
		if err != nil {
			return unreachableError{err}
		}
		b.nats = nc
		return nil
	}
	var err error
	b.embedded, err = broker.Start(broker.EmbeddedConfig{
		StoreDir:     c.StoreDir,
		Listen:       c.NatsListen,
		SyncAlways:   c.Sync == 0,
		SyncInterval: time.Duration(c.Sync),
		ReadSubjects: []string{b.names.EventSubjects(), b.names.UnappliedPrefix() + ".>"},
		Log:          b.log,
	})
	if err != nil {
		return err
	}
	b.nats, err = b.embedded.Connect()
	return err
}

func (b *bridge) streams() publish.Streams {
	return publish.Streams{
		Names:    b.names,
		Replicas: b.config.StreamReplicas,
		MaxAge:   b.config.MaxAge,
		Create:   b.config.StreamManage == "create",
	}
}

func (b *bridge) newIngest() (*ingest.Handler, error) {
	policy, err := mkio.ParseResourcePolicy(b.config.Resource)
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(b.config.MkioURL)
	if err != nil {
		return nil, err
	}
	return ingest.New(ingest.Config{
		Observer: b.publisher,
		Keeper:   b.publisher,
		Decoder:  mkio.Decoder{Projects: b.config.Projects, Resource: policy},
		Secrets:  b.config.WebhookSecrets.all,
		Origins:  []string{base.Hostname()},
		MaxBody:  int64(b.config.MaxBody),
		Log:      b.log,
	}), nil
}

// ready says why the bridge cannot store a delivery now; nil when it can.
func (b *bridge) ready(ctx context.Context) error {
	if !b.nats.IsConnected() {
		return errors.New("NATS is not connected")
	}
	verify := b.streams()
	verify.Create = false
	return publish.Ensure(ctx, b.js, verify)
}

// Times a stop may take.
const (
	drainTime    = 15 * time.Second // for the requests in hand
	shutdownTime = 5 * time.Second  // for the admin listener
)

// serve runs until the context ends or a part fails. It stops in this order: webhooks (those in hand
// are answered), then the admin listener, so that health can be seen until the end. NATS goes
// last, in close. at, when not nil, is told the address of the webhook listener.
func (b *bridge) serve(ctx context.Context, at func(addr string)) error {
	public, err := listen(ctx, "LISTEN", b.config.Listen)
	if err != nil {
		return err
	}
	defer public.Close()
	admin, err := listen(ctx, "ADMIN_LISTEN", b.config.AdminListen)
	if err != nil {
		return err
	}
	defer admin.Close()
	certificate, err := loadCertificate(b.config.TLSCert, b.config.TLSKey)
	if err != nil {
		return err
	}
	publicServer := b.server(b.publicRoutes())
	adminServer := b.server(b.adminRoutes(loopback(b.config.AdminListen)))
	publicServer.TLSConfig = certificate.config()

	group, ctx := errgroup.WithContext(ctx)
	b.stopping = ctx
	group.Go(func() error { return serveHTTP(publicServer, public) })
	group.Go(func() error { return serveHTTP(adminServer, admin) })
	group.Go(func() error { b.watchFiles(ctx, certificate); return nil })
	if b.config.MaxAge > 0 {
		group.Go(func() error { b.publisher.KeepLoaded(ctx, b.config.MaxAge); return nil })
	}
	group.Go(func() error {
		<-ctx.Done()
		return errors.Join(shutdown(publicServer, drainTime), shutdown(adminServer, shutdownTime))
	})
	b.log.Info("listening", "for", "webhooks", "addr", public.Addr().String(), "path", webhookPath, "tls", certificate != nil)
	b.log.Info("listening", "for", "admin", "addr", admin.Addr().String())
	if b.embedded != nil && b.embedded.Addr() != "" {
		b.log.Info("listening", "for", "nats", "addr", b.embedded.Addr())
	}
	b.warn()
	if at != nil {
		at(public.Addr().String())
	}
	return group.Wait()
}

// warn names what is open to whoever can reach it.
func (b *bridge) warn() {
	if len(b.config.WebhookSecrets.all()) == 0 {
		b.log.Warn("no webhook secret is set: every delivery is accepted", "set", prefix+"_WEBHOOK_SECRETS")
	}
	if b.embedded != nil && b.config.NatsListen != "" && !loopback(b.config.NatsListen) {
		b.log.Warn("the embedded NATS server can be reached from outside, and readers need no password", "set", prefix+"_NATS_LISTEN")
	}
}

// close ends NATS: what was published is flushed, and our own server is shut down.
func (b *bridge) close() {
	if b.nats != nil {
		b.nats.Close()
	}
	if b.embedded != nil {
		b.embedded.Shutdown()
	}
}

// Limits of a server that faces the internet.
const (
	headerTime = 5 * time.Second
	readTime   = 15 * time.Second
	writeTime  = 30 * time.Second
	idleTime   = 2 * time.Minute
	maxHeader  = 16 << 10 // bytes
)

func (b *bridge) server(routes http.Handler) *http.Server {
	return &http.Server{
		Handler:           routes,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(b.log.Handler(), slog.LevelDebug),
	}
}

func serveHTTP(s *http.Server, l net.Listener) error {
	var err error
	if s.TLSConfig != nil {
		err = s.ServeTLS(l, "", "")
	} else {
		err = s.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve on %s: %w", l.Addr(), err)
}

func shutdown(s *http.Server, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("requests were still in hand after %s: %w", within, err), s.Close())
	}
	return nil
}

func listen(ctx context.Context, name, addr string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s_%s: %w", prefix, name, err)
	}
	return l, nil
}
