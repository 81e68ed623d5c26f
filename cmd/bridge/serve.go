package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"mkio-bridge/internal/edge"
	"mkio-bridge/internal/problem"
)

// shutdownTime is how long the admin listener may take to stop.
const shutdownTime = time.Second

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
// load balancers know ([edge.LameDuck]) and those in flight are answered; then the admin listener, so that health can be
// seen until the end. NATS goes last, in close.
func (b *bridge) serve(ctx context.Context, l listeners) error {
	public := b.limitPublic(l.public)
	admin := edge.Limit(l.admin, edge.Config{Slots: edge.Slots(adminShare), Log: b.log})

	told := ctx // to stop
	group, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, b.stop)()
	publicServer := edge.NewServer(edge.ServerConfig{
		Handler: edge.SendElsewhere(b.stopping, b.publicRoutes()), Refuse: b.ingest.Refuse, IdleTimeout: b.config.IdleTimeout, Log: b.log,
	})
	adminServer := edge.NewServer(edge.ServerConfig{
		Handler: b.adminRoutes(loopback(b.config.AdminListen)), Refuse: refuse, IdleTimeout: idleTime, Log: b.log,
	})
	group.Go(func() error { return edge.Serve(publicServer, public) })
	group.Go(func() error { return edge.Serve(adminServer, admin) })
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
			b.lameDuck.Wait()
		}
		return errors.Join(edge.Shutdown(publicServer, edge.DrainTime), edge.Shutdown(adminServer, shutdownTime))
	})
	b.log.Info("listening", "for", "webhooks", "addr", l.public.Addr().String(), "path", webhookPath, "tls", b.certificate != nil, "client_certificates", b.clientCAs != nil)
	b.log.Info("listening", "for", "admin", "addr", l.admin.Addr().String())
	if b.embedded != nil && b.embedded.Addr() != "" {
		b.log.Info("listening", "for", "nats", "addr", b.embedded.Addr())
	}
	b.warn()
	return group.Wait()
}

// limitPublic bounds the listener of webhooks, with TLS where there is a certificate.
func (b *bridge) limitPublic(l net.Listener) *edge.Listener {
	c := edge.Config{Slots: edge.Slots(publicShare), Log: b.log, TLSFailed: b.tlsFailures.Inc, Unread: b.ingest.RefusedUnread}
	if b.certificate != nil {
		c.TLS = edge.TLSConfig(b.certificate, b.clientCAs)
	}
	return edge.Limit(l, c)
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

// idleTime is how long an idle connection of the admin listener stays open.
const idleTime = 2 * time.Minute

// refuse leaves no trace of what it refuses.
func refuse(w http.ResponseWriter, _ *http.Request, status int, detail string) {
	problem.Write(w, status, detail)
}

func listenAt(ctx context.Context, name, addr string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s_%s: %w: choose another address, port 0 for any that is free", prefix, name, err)
	}
	return l, nil
}
