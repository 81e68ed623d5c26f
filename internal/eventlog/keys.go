package eventlog

import (
	"context"
	"iter"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/lifecycle"
)

// Keys returns the resources that match the kind, project and name of a query, without their events. It omits those with
// names so long that subjects have them truncated.
func (l *Log) Keys(ctx context.Context, q Query) iter.Seq2[lifecycle.Key, error] {
	config := jetstream.OrderedConsumerConfig{FilterSubjects: l.filters(q, false), HeadersOnly: true}
	return func(yield func(lifecycle.Key, error) bool) {
		for m, err := range l.messages(ctx, l.names.StateStream(), config, false) {
			if err != nil {
				yield(lifecycle.Key{}, err)
				return
			}
			resource := strings.TrimPrefix(m.Subject(), l.names.StateSubject(""))
			key, _, err := l.names.Parse(l.names.Subject(resource, ""))
			if err == nil && !yield(key, nil) {
				return
			}
		}
	}
}
