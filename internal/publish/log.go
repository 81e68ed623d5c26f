package publish

import (
	"context"
	"log/slog"

	"mkio-bridge/internal/lifecycle"
)

// logObservation logs an observation, its outcome, and the recorded state of the resource after it. There may be thousands a
// second, so it logs at debug level only.
func (p *Publisher) logObservation(ctx context.Context, resource string, o lifecycle.Observation, verdict lifecycle.Verdict) {
	if !p.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attributes := []slog.Attr{
		slog.String("project", o.Key.Project), slog.String("kind", string(o.Key.Kind)), slog.String("resource", resource),
		slog.String("state", o.State), slog.String("via", string(o.Via)),
		slog.String("outcome", verdict.Outcome.String()), slog.String("why", verdict.Why),
	}
	if fact := p.heads.get(resource).fact; fact != nil {
		attributes = append(attributes, slog.Uint64("transition", fact.Transition), slog.Uint64("sequence", fact.Sequence))
	}
	if o.Delivery != nil {
		attributes = append(attributes, slog.String("delivery", o.Delivery.ID))
	}
	p.log.LogAttrs(ctx, slog.LevelDebug, "resource observed", attributes...)
}
