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

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/poll"
	"mkio-bridge/internal/rule"
)

// kinds is a list of resource kinds.
type kinds []lifecycle.Kind

// Decode parses a comma-separated list of kinds.
func (k *kinds) Decode(value string) error {
	for _, name := range splitList(value) {
		kind := lifecycle.Kind(name)
		if !slices.Contains(pollableKinds(), kind) {
			return fmt.Errorf("%q is not a kind that can be polled; use %s", name, kinds(pollableKinds()))
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

// pollableKinds returns the kinds that MK.IO's API can list: all but channel instances.
func pollableKinds() []lifecycle.Kind {
	return slices.DeleteFunc(lifecycle.Kinds(), func(k lifecycle.Kind) bool { return k == lifecycle.ChannelInstance })
}

// kindsToPoll returns the kinds of BRIDGE_KINDS. The default leaves out storage, which is rarely watched, and source, content
// and destination, whose states only mean in use or not.
func (c config) kindsToPoll() []lifecycle.Kind {
	if len(c.Kinds) > 0 {
		return c.Kinds
	}
	optional := []lifecycle.Kind{lifecycle.Storage, lifecycle.Source, lifecycle.Content, lifecycle.Destination}
	return slices.DeleteFunc(pollableKinds(), func(k lifecycle.Kind) bool { return slices.Contains(optional, k) })
}

// hasToken reports whether an API token is set: without one nothing is polled.
func (c config) hasToken() bool { return c.MkioToken.value() != "" }

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
	transport, err := c.mkioTransport()
	if err != nil {
		return nil, err
	}
	return mkio.NewClient(mkio.ClientConfig{
		BaseURL: c.MkioURL, Token: c.MkioToken.value, PerMinute: c.PollRate, Resource: policy, Correlation: correlation, Transport: transport, Log: log,
		Advise: func(error) string { return unreachableAdvice },
	})
}

// rateLimit is the metric of the configured request limit.
func rateLimit(c config) prometheus.Collector {
	limit := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "mkio_bridge_api_budget_limit",
		Help: "Maximum requests per minute for each project (BRIDGE_POLL_RATE). A twentieth is reserved for bursts.",
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
	var progress poll.ProgressStore // stays nil without a store
	if b.progress != nil {
		progress = b.progress
	}
	return poll.New(poll.Config{
		Client: client, Progress: progress, Leases: leases, Notes: notes,
		Observer: b.publisher, Log: b.publisher, Heads: b.publisher, Inventory: b.publisher, Coverage: b.publisher,
		Instance: instanceName(), Projects: b.config.Projects, Kinds: b.config.kindsToPoll(),
		Active: b.config.PollActive, Sweep: b.config.PollSweep, Full: b.config.PollFull,
		DeletePatience: b.config.DeletePatience,
		Rule:           b.config.WebhookRule, ReconcileRule: b.ruleReconciler(client, notes), Logger: b.log, Tracer: b.config.tracer,
		Adopt: b.config.claim().Adopt == identity.AdoptAll, Advise: pollAdvice,
	}), nil
}

// ruleReconciler returns a function that registers and updates the webhook rule of a project; nil when BRIDGE_WEBHOOK_URL is
// not set.
func (b *bridge) ruleReconciler(client *mkio.Client, notes jetstream.KeyValue) poll.RuleReconciler {
	if b.config.WebhookURL == "" {
		return nil
	}
	reconciler := rule.Reconciler{
		Client: client, Notes: notes, URL: b.config.WebhookURL, Name: b.config.WebhookRule, Secret: b.config.currentSecret,
	}
	return func(ctx context.Context, project string) (event.LeaderRule, error) {
		change, err := reconciler.Reconcile(ctx, project, false)
		if err == nil && !change.Empty() {
			b.log.Info("webhook rule updated", "project", project, "rule", b.config.WebhookRule, "changes", change.Changes, "warnings", change.Warnings)
		}
		return rule.StandingOf(change, err), err
	}
}

// onEvent passes each event that any bridge records to the poller.
func (b *bridge) onEvent(resource string, fact lifecycle.Fact) {
	if b.poller == nil {
		return
	}
	key, err := b.publisher.KeyOf(context.Background(), resource)
	if err == nil {
		b.poller.OnEvent(key, fact)
	}
}

// recheckConflicts has the poller recheck every resource that has a delivery stored as conflict, by whichever bridge, until
// the context ends.
func (b *bridge) recheckConflicts(ctx context.Context) {
	for ctx.Err() == nil {
		for resource, err := range b.events.Conflicts(ctx) {
			if err != nil {
				b.log.Debug("conflicts cannot be read; retrying", "error", err)
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
	go func() { defer close(following); b.recheckConflicts(ctx) }()
	b.poller.Run(ctx)
	<-following
}
