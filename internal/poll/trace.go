package poll

import (
	"context"

	"go.opentelemetry.io/otel/attribute"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/tracing"
)

// traced does an errand in a trace of its own: what it sees for the first time has its beginning there.
func (p *project) traced(ctx context.Context, l *list, e errand, do func(context.Context) error) error {
	ctx, span := p.Tracer.Root(ctx, "poll "+e.String())
	err := do(ctx)
	tracing.End(span, err, func() []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String("mkio.project", p.name), attribute.String("mkio.list", l.String())}
	})
	return err
}

// tracedVisit visits a resource that somebody wants to be looked at, in a trace of its own.
func (p *project) tracedVisit(ctx context.Context, l *list, key lifecycle.Key, via lifecycle.Via) error {
	ctx, span := p.Tracer.Root(ctx, "poll resource")
	err := p.visit(ctx, l, key, via, mkio.Urgent)
	tracing.End(span, err, func() []attribute.KeyValue {
		return []attribute.KeyValue{
			attribute.String("mkio.project", p.name), attribute.String("mkio.kind", string(key.Kind)), attribute.String("mkio.via", string(via)),
		}
	})
	return err
}
