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

	"mkio-bridge/internal/admin"
	"mkio-bridge/internal/edge"
	"mkio-bridge/internal/problem"
)

// Times of the admin listener; the demo and the simulated MK.IO have the same idleTime.
const (
	shutdownTimeout = time.Second     // for requests in flight when it stops
	idleTimeout     = 2 * time.Minute // of an idle connection
)

// Shares of the process's open-file limit that connections may use. The rest is for the store, NATS and MK.IO.
const (
	publicShare = 0.625
	adminShare  = 0.125
	readerShare = 0.125 // readers of the embedded NATS server, at most [broker.MaxReaders]
)

// listeners are the two listeners of a bridge: public is for webhooks, admin for operators.
type listeners struct{ public, admin net.Listener }

// listen opens both listeners. It is called first, so that an address in use ends the start.
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
	_ = l.public.Close() // serve may have closed them already
	_ = l.admin.Close()
}

// serve runs until the context ends or a part fails. It stops in this order: polling at once; the webhook listener after the
// lame-duck period ([edge.LameDuck]) and its requests in flight; then the admin listener, so that health can be probed until
// the end. NATS is closed last, by close. After a failure of a part there is no lame-duck period.
func (b *bridge) serve(ctx context.Context, l listeners) error {
	public := b.webhookListener(l.public)
	adminSlots := edge.Slots(adminShare)
	adminListener := edge.NewListener(l.admin, edge.Config{Slots: adminSlots, Log: b.log})

	stopRequest := ctx // ends when a stop is requested; ctx from here on also ends when a part fails
	group, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, b.stop)()
	publicServer := edge.NewServer(edge.ServerConfig{
		Handler: edge.CloseWhenStopping(b.stopping, b.publicRoutes()), Refuse: b.ingest.Refuse, IdleTimeout: b.config.IdleTimeout, Log: b.log,
	})
	adminServer := edge.NewServer(edge.ServerConfig{
		Handler: edge.Reserve(adminSlots, healthPaths, b.adminRoutes(loopback(b.config.AdminListen)), refuse),
		Refuse:  refuse, IdleTimeout: idleTimeout, Log: b.log,
	})
	adminServer.ConnState = adminListener.ConnState
	group.Go(func() error { return edge.Serve(publicServer, public) })
	group.Go(func() error { return edge.Serve(adminServer, adminListener) })
	group.Go(func() error { b.watchFiles(ctx); return nil })
	group.Go(func() error { b.publisher.Follow(ctx, b.onEvent); return nil })
	if b.progress != nil {
		group.Go(func() error { b.progress.Run(ctx); return nil })
	}
	if b.poller != nil {
		group.Go(func() error { b.poll(ctx); return nil })
	}
	if b.embedded != nil {
		group.Go(func() error { return b.watchStore(ctx) })
	}
	group.Go(func() error { return watchConnection(ctx, b.nats) })
	group.Go(func() error {
		<-ctx.Done()
		if stopRequest.Err() != nil { // no part has failed
			b.lameDuck.Wait()
		}
		return errors.Join(edge.Shutdown(publicServer, edge.DrainTimeout), edge.Shutdown(adminServer, shutdownTimeout))
	})
	b.log.Info("listening", "for", "webhooks", "addr", l.public.Addr().String(), "path", webhookPath, "tls", b.certificate != nil, "client_certificates", b.clientCAs != nil)
	b.log.Info("listening", "for", "admin", "addr", l.admin.Addr().String())
	if b.embedded != nil && b.embedded.Addr() != "" {
		b.log.Info("listening", "for", "nats", "addr", b.embedded.Addr())
	}
	b.warnOfSettings()
	return group.Wait()
}

// webhookListener adds connection limits to the webhook listener, and TLS if a certificate is configured.
func (b *bridge) webhookListener(l net.Listener) *edge.Listener {
	c := edge.Config{Slots: edge.Slots(publicShare), Log: b.log, TLSFailed: b.tlsFailures.Inc, Refused: b.ingest.RefusedByServer}
	if b.certificate != nil {
		c.TLS = edge.TLSConfig(b.certificate, b.clientCAs)
	}
	return edge.NewListener(l, c)
}

// watchStore returns an error when the embedded server can no longer write its store. The bridge would refuse every delivery
// from then on, so it exits for its supervisor to restart it.
func (b *bridge) watchStore(ctx context.Context) error {
	select {
	case err := <-b.embedded.StoreFailed():
		return fmt.Errorf("BRIDGE_STORE_DIR %s cannot be written: %w: check the disk for errors and free space, and restart the bridge; nothing acknowledged is lost", b.config.StoreDir, err)
	case <-ctx.Done():
		return nil
	}
}

// watchConnection returns an error when the NATS client closes its connection permanently. It does so after errors that a
// reconnect would repeat, such as a message over a payload limit that was lowered since.
func watchConnection(ctx context.Context, nc *nats.Conn) error {
	closed := nc.StatusChanged(nats.CLOSED)
	defer nc.RemoveStatusListener(closed)
	if !nc.IsClosed() { // it may have been closed before the status was watched
		select {
		case <-closed:
		case <-ctx.Done():
			return nil
		}
	}
	return fmt.Errorf("the connection to NATS was closed permanently: %w: check the NATS servers' log, and restart the process", cmp.Or(nc.LastError(), nats.ErrConnectionClosed))
}

// warnOfSettings logs settings that leave the bridge open to strangers or without polling.
func (b *bridge) warnOfSettings() {
	if len(b.config.WebhookSecrets.all()) == 0 {
		b.log.Warn("no webhook secret is set: every delivery is accepted", "set", "BRIDGE_WEBHOOK_SECRETS")
	}
	if b.poller == nil && b.config.WebhookURL != "" {
		b.log.Warn("no API token is set: the webhook rule is not registered", "set", "BRIDGE_MKIO_TOKEN")
	}
	if b.poller == nil {
		b.log.Warn("no API token is set: nothing is polled, and lost deliveries are not recovered", "set", "BRIDGE_MKIO_TOKEN")
	}
	for _, w := range b.config.weakSecrets() {
		b.log.Warn("secret is easily guessed, and its listener is reachable from outside", "setting", w.setting, "why", w.why, "do", secretAdvice)
	}
	if b.embedded != nil && b.config.NatsListen != "" && !loopback(b.config.NatsListen) && b.config.readerToken() == nil {
		b.log.Warn("embedded NATS server is reachable from outside, and readers need no token", "set", readerTokenName)
	}
}

// refuse writes the admin listener's response to a refused request. Unlike the webhook listener's ([ingest.Handler.Refuse])
// it neither logs nor counts.
func refuse(w http.ResponseWriter, _ *http.Request, status int, detail string) {
	admin.SetSecurityHeaders(w.Header())
	problem.Write(w, status, detail)
}

// listenAt opens a listener at the address of a setting, whose name is given without the prefix.
func listenAt(ctx context.Context, setting, addr string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s_%s: %w: choose another address, or port 0 for any free port", prefix, setting, err)
	}
	return l, nil
}
