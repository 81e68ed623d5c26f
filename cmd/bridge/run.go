package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"mkio-bridge/internal/broker"
	"mkio-bridge/internal/noanswer"
	"mkio-bridge/internal/tracing"
)

func serviceCommand(c *call) *cobra.Command {
	return &cobra.Command{
		Use:     "run",
		Short:   "run the service (the default)",
		Example: "  BRIDGE_MKIO_TOKEN=… mkio-bridge run\n  BRIDGE_NATS_URL=nats://nats:4222 BRIDGE_MKIO_TOKEN_FILE=/run/secrets/token mkio-bridge run",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runService(cmd.Context(), c) },
	}
}

func runService(ctx context.Context, c *call) error {
	conf, err := loadConfig()
	if err != nil {
		return usageError{err}
	}
	log := c.logger(conf)
	for _, w := range conf.trimmedSecrets() {
		w.warn(log)
	}
	memory, err := limitMemory(memlimit.FromCgroup)
	if err != nil {
		log.Warn("memory limit of the container cannot be read; continuing without it", "error", err)
	}
	traces := tracing.FromEnvironment(ctx, version(), log)
	defer traces.Close() // after everything that creates spans
	conf.tracer = traces.Tracer()
	l, b, err := listenAndOpen(ctx, conf, log)
	if err != nil && ctx.Err() != nil { // stopped before the start was complete
		log.Info("stopped")
		return nil
	}
	if err != nil {
		return conf.suggestCommand(ctx, err)
	}
	defer l.close()
	defer b.close()
	b.log.Info("bridge started", "version", version(), "durability", b.durability(ctx), "nats", b.nats.ConnectedServerVersion(),
		"domain", b.domain(ctx), "memory_limit", memory, "traces", cmp.Or(traces.Endpoint(), "off"))
	err = b.serve(ctx, l)
	if err == nil {
		b.log.Info("stopped")
	}
	return err
}

// listenAndOpen opens the listeners, then the bridge. An address in use is thus reported before anything else is done.
func listenAndOpen(ctx context.Context, conf config, log *slog.Logger) (listeners, *bridge, error) {
	l, err := listen(ctx, conf)
	if err != nil {
		return listeners{}, nil, err
	}
	b, err := open(ctx, conf, log)
	if err != nil {
		l.close()
		return listeners{}, nil, err
	}
	return l, b, nil
}

// durability describes what an acknowledgement guarantees, as the server and the event stream are configured, which the
// settings may differ from.
func (b *bridge) durability(ctx context.Context) string {
	if b.embedded != nil {
		always, interval := b.embedded.Sync()
		if always {
			return "an acknowledged event is on disk"
		}
		return "an acknowledged event survives a crash of the bridge; a power failure loses up to " + interval.String()
	}
	log, err := b.js.Stream(ctx, b.names.EventStream())
	if err != nil {
		return "unknown: " + err.Error()
	}
	c := log.CachedInfo().Config
	if c.Replicas == 1 {
		return "an acknowledged event is stored on one server, and on disk after the NATS server's sync_interval"
	}
	return fmt.Sprintf("an acknowledged event is stored on a majority of %d servers, and on disk after their sync_interval", c.Replicas)
}

// domainTimeout limits the request for the JetStream domain.
const domainTimeout = 2 * time.Second

// domain returns the JetStream domain of the streams, as JetStream reports it: a leaf node may have a JetStream of its own.
// "" is none; "unknown" means that the user may not request account info.
func (b *bridge) domain(ctx context.Context) string {
	if b.embedded != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, domainTimeout)
	defer cancel()
	asking, stop := noanswer.CancelWhenForbidden(ctx, b.nats, ".INFO")
	defer stop()
	info, err := b.js.AccountInfo(asking)
	if err != nil {
		return "unknown"
	}
	return info.Domain
}

// natsConfig returns how the bridge, or another command, connects to external NATS servers.
func natsConfig(c config, log *slog.Logger) broker.Config {
	return broker.Config{
		URL:      string(c.NatsURL),
		Creds:    c.NatsCreds,
		NKey:     c.NatsNkey,
		User:     c.NatsUser,
		Password: c.NatsPassword.value,
		Token:    c.NatsToken.value,
		TLSCA:    c.NatsTLSCa,
		TLSCert:  c.NatsTLSCert,
		TLSKey:   c.NatsTLSKey,
		TLSFirst: c.NatsTLSFirst,
		Name:     "mkio-bridge",
		Dialer:   c.dialer,
		Log:      log,
	}
}

// newRegistry registers the metrics of all parts, the build and the process.
func newRegistry(parts ...[]prometheus.Collector) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(buildInfo(), collectors.NewBuildInfoCollector(),
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.MetricsGC, collectors.MetricsScheduler)),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, part := range parts {
		registry.MustRegister(part...)
	}
	return registry
}

// buildInfo is the metric of the build. The alert on a bridge that is down depends on it.
func buildInfo() prometheus.Collector {
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "mkio_bridge_build_info",
		Help: "Always 1, with the versions of the bridge and of Go as labels.",
	}, []string{"version", "goversion"})
	info.WithLabelValues(version(), runtime.Version()).Set(1)
	return info
}
