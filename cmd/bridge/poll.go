package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/poll"
	"mkio-bridge/internal/rule"
)

// kinds is a list of kinds of resource.
type kinds []lifecycle.Kind

// Decode reads a list of kinds.
func (k *kinds) Decode(value string) error {
	for _, name := range splitList(value) {
		kind := lifecycle.Kind(name)
		if !slices.Contains(polledKinds(), kind) {
			return fmt.Errorf("%q is no kind that can be polled: %s", name, kinds(polledKinds()))
		}
		*k = append(*k, kind)
	}
	return nil
}

func (k kinds) String() string {
	names := make([]string, len(k))
	for i, kind := range k {
		names[i] = string(kind)
	}
	return strings.Join(names, ",")
}

// polledKinds are those with an address that can be asked.
func polledKinds() []lifecycle.Kind {
	return slices.DeleteFunc(lifecycle.Kinds(), func(k lifecycle.Kind) bool { return k == lifecycle.ChannelInstance })
}

// kindsToPoll are the kinds that were chosen, or all but those that say only whether something is in use.
func (c config) kindsToPoll() []lifecycle.Kind {
	if len(c.Kinds) > 0 {
		return c.Kinds
	}
	return slices.DeleteFunc(polledKinds(), func(k lifecycle.Kind) bool {
		return k == lifecycle.Source || k == lifecycle.Content || k == lifecycle.Destination
	})
}

// polls says whether there is a token to poll with.
func (c config) polls() bool { return c.MkioToken.value() != "" }

// client returns a client of MK.IO's API; log may be nil.
func (c config) client(log *slog.Logger) (*mkio.Client, error) {
	policy, err := mkio.ParseResourcePolicy(c.Resource)
	if err != nil {
		return nil, err
	}
	correlation, err := mkio.ParseCorrelationPolicy(c.Correlation)
	if err != nil {
		return nil, err
	}
	way, err := c.wayToMKIO()
	if err != nil {
		return nil, err
	}
	return mkio.NewClient(mkio.ClientConfig{
		BaseURL: c.MkioURL, Token: c.MkioToken.value, PerMinute: c.PollRate, Resource: policy, Correlation: correlation, Transport: way, Log: log,
		Advise: wayAdvice,
	})
}

// rateLimit tells the requests that a project may take.
func rateLimit(c config) prometheus.Collector {
	limit := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "mkio_bridge_api_budget_limit",
		Help: "Most requests a minute, of each project: " + prefix + "_POLL_RATE. A twentieth is kept for bursts.",
	})
	limit.Set(float64(c.PollRate))
	return limit
}

// newPoller builds the poller of a bridge that has a token.
func (b *bridge) newPoller(ctx context.Context, client *mkio.Client) (*poll.Poller, error) {
	leases, err := b.js.KeyValue(ctx, b.names.LeaseBucket())
	if err != nil {
		return nil, err
	}
	notes, err := b.js.KeyValue(ctx, b.names.NotesBucket())
	if err != nil {
		return nil, err
	}
	return poll.New(poll.Config{
		Client: client, Leases: leases, Notes: notes,
		Observer: b.publisher, Log: b.publisher, Heads: b.publisher, Inventory: b.publisher, Coverage: b.publisher,
		Projects: b.config.Projects, Kinds: b.config.kindsToPoll(),
		Active: b.config.PollActive, Sweep: b.config.PollSweep, Full: b.config.PollFull,
		DeletePatience: b.config.DeletePatience,
		Rule:           b.config.WebhookRule, ReconcileRule: b.ruleKeeper(client, notes), Logger: b.log, Tracer: b.config.tracer,
		Adopt: b.config.claim().Adopt == identity.AdoptAll, Advise: pollAdvice,
	}), nil
}

// ruleKeeper keeps the webhook rule right where the bridge knows its own public address; nil where it does not.
func (b *bridge) ruleKeeper(client *mkio.Client, notes jetstream.KeyValue) poll.RuleReconciler {
	if b.config.WebhookURL == "" {
		return nil
	}
	keeper := rule.Reconciler{
		Client: client, Notes: notes, URL: b.config.WebhookURL, Name: b.config.WebhookRule, Secret: b.config.currentSecret,
	}
	return func(ctx context.Context, project string) error {
		change, err := keeper.Reconcile(ctx, project, false)
		if err == nil && !change.None() {
			b.log.Info("the webhook rule was put right", "project", project, "rule", b.config.WebhookRule, "changes", change.Changes, "warnings", change.Warnings)
		}
		return err
	}
}

// told hears of each event that any bridge records.
func (b *bridge) told(resource string, fact lifecycle.Fact) {
	if b.poller == nil {
		return
	}
	key, err := b.publisher.KeyOf(context.Background(), resource)
	if err == nil {
		b.poller.OnEvent(key, fact)
	}
}

// askAfterConflicts has MK.IO asked about every resource of which two facts could not be ordered, by
// whatever bridge they were told, until the context ends.
func (b *bridge) askAfterConflicts(ctx context.Context) {
	for ctx.Err() == nil {
		for resource, err := range b.events.Conflicts(ctx) {
			if err != nil {
				b.log.Debug("conflicts cannot be followed; it is tried again", "error", err)
				break
			}
			if key, err := b.publisher.KeyOf(ctx, resource); err == nil {
				b.poller.Recheck(key)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(b.config.PollActive):
		}
	}
}

// poll runs the poller until the context ends.
func (b *bridge) poll(ctx context.Context) {
	following := make(chan struct{})
	go func() { defer close(following); b.askAfterConflicts(ctx) }()
	b.poller.Run(ctx)
	<-following
}
