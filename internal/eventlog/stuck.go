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
		table, moving, _, err := l.inMotion(ctx)
		if err != nil {
			yield(Raw{}, err)
			return
		}
		matches := q.Matcher()
		for _, e := range moving {
			if !table.Stuck(e.kind, e.fact, now) || !l.selects(q, e) || !matches(e.resource, &e.fact) {
				continue
			}
			raw, ok, err := l.lastOfResource(ctx, e.resource)
			if err != nil {
				yield(Raw{}, err)
				return
			}
			if !ok || raw.Sequence != e.fact.Sequence {
				continue // it has changed meanwhile
			}
			if !yield(raw, nil) {
				return
			}
		}
	}
}

// Motion counts the resources that exist, those in motion and those that are stuck, and returns how long each state usually lasts.
func (l *Log) Motion(ctx context.Context, now time.Time) (m durations.Motion, usual []durations.Usual, err error) {
	table, moving, known, err := l.inMotion(ctx)
	m.Known = known
	for _, e := range moving {
		table.Count(&m, e.kind, e.fact, now)
	}
	return m, table.All(), err
}

// inMotion reads the headers of the last events of all resources. It returns the durations of states, the events of the
// resources in motion, and how many resources of each kind exist.
func (l *Log) inMotion(ctx context.Context) (table durations.Table, moving []lastEvent, known map[lifecycle.Kind]int, err error) {
	known = map[lifecycle.Kind]int{}
	for m, err := range l.messages(ctx, l.names.StateStream(), jetstream.OrderedConsumerConfig{HeadersOnly: true}, false) {
		if err != nil {
			return table, nil, nil, err
		}
		fact, err := event.FactOfState(m.Headers())
		if err != nil {
			continue // not an event of the bridge
		}
		resource := strings.TrimPrefix(m.Subject(), l.names.StateSubject(""))
		kind := event.KindOf(resource)
		table.Add(kind, fact.Stays)
		if !lifecycle.SameState(fact.State, lifecycle.StateDeleted) {
			known[kind]++
		}
		if lifecycle.InMotion(kind, fact.State, fact.Provisioning) {
			moving = append(moving, lastEvent{resource, kind, fact})
		}
	}
	return table, moving, known, nil
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
