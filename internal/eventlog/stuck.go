package eventlog

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/durations"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// StuckState is [Log.RawState] of the resources that are stuck ([durations.Table.Stuck]), with how long their state usually
// lasts. It reads the headers of all resources, because the usual duration of a state is that of all, and then the events of
// those that are stuck.
func (l *Log) StuckState(ctx context.Context, q Query, now time.Time) iter.Seq2[Raw, error] {
	return func(yield func(Raw, error) bool) {
		var table durations.Table
		var transient []lastEvent
		for m, err := range l.messages(ctx, l.names.StateStream(), jetstream.OrderedConsumerConfig{HeadersOnly: true}, false) {
			if err != nil {
				yield(Raw{}, err)
				return
			}
			fact, err := event.FactOfState(m.Headers())
			if err != nil {
				continue // not an event of the bridge
			}
			resource := strings.TrimPrefix(m.Subject(), l.names.StateSubject(""))
			kind := event.KindOf(resource)
			table.Add(kind, fact.Stays)
			if _, ok := lifecycle.Transient(kind, fact.State, fact.Provisioning); ok {
				transient = append(transient, lastEvent{resource, kind, fact})
			}
		}
		matches := q.Matcher()
		for _, e := range transient {
			if !table.Stuck(e.kind, e.fact, now) {
				continue
			}
			raw, ok, err := l.lastOfResource(ctx, e.resource)
			if err != nil {
				yield(Raw{}, err)
				return
			}
			if !ok || raw.Sequence != e.fact.Sequence || !l.selects(q, e) || !matches(e.resource, &e.fact) {
				continue // it has changed meanwhile, or is not asked for
			}
			if !yield(raw, nil) {
				return
			}
		}
	}
}

// A lastEvent is the last event of a resource, without its payload.
type lastEvent struct {
	resource string
	kind     lifecycle.Kind
	fact     lifecycle.Fact
}

// selects reports whether a query selects a resource, as the filters of a consumer would.
func (l *Log) selects(q Query, e lastEvent) bool {
	tokens := strings.Split(e.resource, ".")
	for _, pattern := range l.resources(q) {
		want := strings.Split(pattern, ".")
		matched := len(want) == len(tokens)
		for i := range want {
			matched = matched && (want[i] == "*" || want[i] == tokens[i])
		}
		if matched {
			return true
		}
	}
	return false
}
