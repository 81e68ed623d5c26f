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

	"mkio-bridge/internal/broker"
	"mkio-bridge/internal/noanswer"
	"mkio-bridge/internal/tracing"
)

func runService(ctx context.Context, c *call) error {
	if _, err := c.parse(c.flags(), 0); err != nil {
		return err
	}
	conf, err := loadConfig()
	if err != nil {
		return usageError{err}
	}
	log := c.logger(conf)
	for _, w := range conf.wrappedSecrets() {
		w.warn(log)
	}
	memory, err := limitMemory(memlimit.FromCgroup)
	if err != nil {
		log.Warn("the container's memory limit cannot be read; going on without", "error", err)
	}
	traces := tracing.FromEnvironment(ctx, version(), log)
	defer traces.Close() // when nothing makes spans any more
	conf.tracer = traces.Tracer()
	l, b, err := begin(ctx, conf, log)
	if err != nil && ctx.Err() != nil { // it was told to stop before it had begun
		log.Info("stopped")
		return nil
	}
	if err != nil {
		return err
	}
	defer l.close()
	defer b.close()
	b.log.Info("bridge", "version", version(), "durability", b.durability(ctx), "nats", b.nats.ConnectedServerVersion(),
		"domain", b.domain(ctx), "memory_limit", memory, "traces", cmp.Or(traces.Endpoint(), "off"))
	err = b.serve(ctx, l)
	if err == nil {
		b.log.Info("stopped")
	}
	return err
}

// begin opens the addresses, so that one in use is seen before anything else is done, and then the bridge.
func begin(ctx context.Context, conf config, log *slog.Logger) (listeners, *bridge, error) {
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

// durability says in a few words what an acknowledgement means here: as the server and the log are, not as the
// settings would have them.
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
		return "an acknowledged event is stored once, and on disk as the NATS server's sync_interval says"
	}
	return fmt.Sprintf("an acknowledged event is stored on most of %d servers, and on their disks as their sync_interval says", c.Replicas)
}

// domainTime is how long JetStream is waited for to say its domain.
const domainTime = 2 * time.Second

// domain is the JetStream domain that the streams are in, as JetStream tells it: a leaf node may have a JetStream of its
// own. "" is none; it stays unknown where the user may not ask.
func (b *bridge) domain(ctx context.Context) string {
	if b.embedded != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, domainTime)
	defer cancel()
	asking, stop := noanswer.UntilForbidden(ctx, b.nats, ".INFO")
	defer stop()
	info, err := b.js.AccountInfo(asking)
	if err != nil {
		return "unknown"
	}
	return info.Domain
}

// natsConfig is how the bridge, or a command that reads, gets into someone else's NATS.
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

// newRegistry gathers the metrics of all parts with those of the process.
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

// buildInfo tells which build runs. Alerts that a bridge is down go by it.
func buildInfo() prometheus.Collector {
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "mkio_bridge_build_info",
		Help: "1, with the version of the bridge and that of Go.",
	}, []string{"version", "goversion"})
	info.WithLabelValues(version(), runtime.Version()).Set(1)
	return info
}
