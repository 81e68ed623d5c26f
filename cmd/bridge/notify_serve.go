package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"mkio-bridge/internal/edge"
	"mkio-bridge/internal/notify"
	"mkio-bridge/internal/problem"
)

// listenNotify opens the listener of a notifier.
func listenNotify(ctx context.Context, addr string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("--listen: %w: choose another address, or port 0 for any free port", err)
	}
	return l, nil
}

// serveNotifier runs a notifier and its listener until the context ends or one of them fails. The listener is closed last, so
// that health can be probed until the end.
func serveNotifier(ctx context.Context, n *notify.Notifier, nc *nats.Conn, l net.Listener, log *slog.Logger) error {
	server := edge.NewServer(edge.ServerConfig{Handler: notifyRoutes(n), Refuse: refuse, IdleTimeout: idleTimeout, Log: log})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return edge.Serve(server, edge.NewListener(l, edge.Config{Slots: edge.Slots(adminShare), Log: log}))
	})
	group.Go(func() error { return watchConnection(ctx, nc) })
	group.Go(func() error {
		err := n.Run(ctx)
		if stop := edge.Shutdown(server, shutdownTimeout); err == nil {
			err = stop
		}
		return err
	})
	log.Info("listening", "for", "notify", "addr", l.Addr().String())
	err := group.Wait()
	if err == nil {
		log.Info("stopped")
	}
	return err
}

// notifyRoutes serves the listener of a notifier.
func notifyRoutes(n *notify.Notifier) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := n.Ready(); err != nil {
			problem.Write(w, http.StatusServiceUnavailable, err.Error())
		}
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(notifyRegistry(n), promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.HandleFunc("/", notFound)
	return mux
}

// notifyRegistry registers the metrics of a notifier. It has no mkio_bridge_build_info, by which alerts find bridges.
func notifyRegistry(n *notify.Notifier) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewBuildInfoCollector(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(n.Collectors()...)
	return registry
}
