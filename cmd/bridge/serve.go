package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"mkio-bridge/internal/edge"
	"mkio-bridge/internal/problem"
)

// Times a stop may take.
const (
	drainTime    = 9*time.Second - noticeTime // for the requests in hand; supervisors kill after ten
	shutdownTime = time.Second                // for the admin listener
)

// Shares of the files that the process may open; what is left is for the store, NATS and MK.IO.
const (
	publicShare = 0.625
	adminShare  = 0.125
	readerShare = 0.125 // of NATS, at most [broker.MostReaders]
)

// listeners are the two addresses of a bridge.
type listeners struct{ public, admin net.Listener }

// listen opens both, before anything else is begun.
func listen(ctx context.Context, c config) (listeners, error) {
	public, err := listenAt(ctx, "LISTEN", c.Listen)
	if err != nil {
		return listeners{}, err
	}
	admin, err := listenAt(ctx, "ADMIN_LISTEN", c.AdminListen)
	if err != nil {
		return listeners{}, errors.Join(err, public.Close())
	}
	return listeners{public, admin}, nil
}

func (l listeners) close() {
	_ = l.public.Close() // serving may have closed them
	_ = l.admin.Close()
}

// serve runs until the context ends or a part fails. It stops in this order: polling at once; webhooks, when
// load balancers know ([farewell]) and those in hand are answered; then the admin listener, so that health can be seen until the end. NATS goes
// last, in close.
func (b *bridge) serve(ctx context.Context, l listeners) error {
	atEdge := edge.Config{Slots: edge.Slots(publicShare), Log: b.log, TLSFailed: b.tlsFailures.Inc, Unread: b.ingest.RefusedUnread}
	if b.certificate != nil {
		atEdge.TLS = edge.TLSConfig(b.certificate, b.clientCAs)
	}
	public := edge.Limit(l.public, atEdge)
	admin := edge.Limit(l.admin, edge.Config{Slots: edge.Slots(adminShare), Log: b.log})

	told := ctx // to stop
	group, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, b.stop)()
	publicServer := b.server(sendElsewhere(b.stopping, b.publicRoutes()), b.ingest.Refuse, b.config.IdleTimeout)
	adminServer := b.server(b.adminRoutes(loopback(b.config.AdminListen)), refuse, idleTime)
	group.Go(func() error { return serveHTTP(publicServer, public) })
	group.Go(func() error { return serveHTTP(adminServer, admin) })
	group.Go(func() error { b.watchFiles(ctx); return nil })
	group.Go(func() error { b.publisher.Follow(ctx, b.told); return nil })
	if b.poller != nil {
		group.Go(func() error { b.poll(ctx); return nil })
	}
	if b.embedded != nil {
		group.Go(func() error { return b.watchStore(ctx) })
	}
	group.Go(func() error { return b.watchConnection(ctx) })
	group.Go(func() error {
		<-ctx.Done()
		if told.Err() != nil { // and nothing is broken
			b.farewell.wait()
		}
		return errors.Join(shutdown(publicServer, drainTime), shutdown(adminServer, shutdownTime))
	})
	b.log.Info("listening", "for", "webhooks", "addr", l.public.Addr().String(), "path", webhookPath, "tls", b.certificate != nil, "client_certificates", b.clientCAs != nil)
	b.log.Info("listening", "for", "admin", "addr", l.admin.Addr().String())
	if b.embedded != nil && b.embedded.Addr() != "" {
		b.log.Info("listening", "for", "nats", "addr", b.embedded.Addr())
	}
	b.warn()
	return group.Wait()
}

// watchStore returns an error when the embedded server can store nothing any more. To go on would be to refuse
// everything for ever: whoever started the bridge starts it again.
func (b *bridge) watchStore(ctx context.Context) error {
	select {
	case err := <-b.embedded.Broken():
		return fmt.Errorf("%s_STORE_DIR %s cannot be written any more: %w: see that the disk has room and is in order, and start the bridge again; nothing acknowledged is lost", prefix, b.config.StoreDir, err)
	case <-ctx.Done():
		return nil
	}
}

// watchConnection returns an error when the connection to NATS is closed for good, as it is after errors that connecting
// again would not mend, such as a message over a limit that was lowered meanwhile.
func (b *bridge) watchConnection(ctx context.Context) error {
	closed := b.nats.StatusChanged(nats.CLOSED)
	defer b.nats.RemoveStatusListener(closed)
	if !b.nats.IsClosed() { // it may have been before anybody listened
		select {
		case <-closed:
		case <-ctx.Done():
			return nil
		}
	}
	return fmt.Errorf("the connection to NATS was closed for good: %w: see the NATS servers' log, and start the bridge again", cmp.Or(b.nats.LastError(), nats.ErrConnectionClosed))
}

// warn names what is open to whoever can reach it.
func (b *bridge) warn() {
	if len(b.config.WebhookSecrets.all()) == 0 {
		b.log.Warn("no webhook secret is set: every delivery is accepted", "set", prefix+"_WEBHOOK_SECRETS")
	}
	if b.poller == nil && b.config.WebhookURL != "" {
		b.log.Warn("no API token is set: the webhook rule is not registered, and delivers only where somebody made it", "set", prefix+"_MKIO_TOKEN")
	}
	if b.poller == nil {
		b.log.Warn("no API token is set: nothing is polled, and what no webhook tells stays unknown", "set", prefix+"_MKIO_TOKEN")
	}
	for _, w := range b.config.weakSecrets() {
		b.log.Warn("a secret is easily guessed, and its listener can be reached from outside", "setting", w.setting, "why", w.why, "do", secretAdvice)
	}
	if b.embedded != nil && b.config.NatsListen != "" && !loopback(b.config.NatsListen) && b.config.readerToken() == nil {
		b.log.Warn("the embedded NATS server can be reached from outside, and readers need no token", "set", readerTokenName)
	}
}

// Limits of a server that faces the internet.
const (
	headerTime = 5 * time.Second
	readTime   = 15 * time.Second
	writeTime  = 30 * time.Second
	idleTime   = 2 * time.Minute // of the admin listener
	maxHeader  = 16 << 10        // bytes
)

// server speaks HTTP/1.1 alone. A sender of deliveries gains nothing by HTTP/2, and with it a stranger could begin
// requests and take them back faster than they are refused.
func (b *bridge) server(routes http.Handler, refuse refuser, idle time.Duration) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:                      lastRequests(endUnread(routes), refuse),
		Protocols:                    &protocols,
		ReadHeaderTimeout:            headerTime,
		ReadTimeout:                  readTime,
		WriteTimeout:                 writeTime,
		IdleTimeout:                  idle,
		MaxHeaderBytes:               maxHeader,
		DisableGeneralOptionsHandler: true, // OPTIONS * is for the routes to answer
		ErrorLog:                     slog.NewLogLogger(b.log.Handler(), slog.LevelDebug),
	}
}

// endUnread has the connection end, when a request was answered before its body was read: the server would wait for
// the rest of it, which a stranger need never send.
func endUnread(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := &bodyEnd{ReadCloser: r.Body, ended: r.ContentLength == 0}
		r.Body = body
		defer func() {
			if !body.ended {
				_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // a writer without deadlines has no connection
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// bodyEnd is a body that knows when it was read to its end.
type bodyEnd struct {
	io.ReadCloser
	ended bool
}

func (b *bodyEnd) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.ended = b.ended || errors.Is(err, io.EOF)
	return n, err
}

// A refuser answers a request that is refused.
type refuser func(w http.ResponseWriter, r *http.Request, status int, detail string)

// refuse leaves no trace of what it refuses.
func refuse(w http.ResponseWriter, _ *http.Request, status int, detail string) {
	problem.Write(w, status, detail)
}

// lastRequests has the connection end after a request whose own end another reader might see elsewhere: behind chunks,
// and in HTTP/1.0. Nothing that follows is taken for a request ([framedConn]).
func lastRequests(next http.Handler, refuse refuser) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) {
			w.Header().Set("Connection", "close")
		}
		if r.ProtoMajor != 1 { // net/http lets the preface of HTTP/2 through
			w.Header().Set("Connection", "close")
			refuse(w, r, http.StatusHTTPVersionNotSupported, "speak HTTP/1.1")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func serveHTTP(s *http.Server, l net.Listener) error {
	err := s.Serve(l)
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

func listenAt(ctx context.Context, name, addr string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s_%s: %w: choose another address, port 0 for any that is free", prefix, name, err)
	}
	return l, nil
}
