package eventlog

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// Coverage returns the records of what was proven of a project and kind ("": any), since a time (zero: all), oldest first.
func (l *Log) Coverage(ctx context.Context, project string, kind lifecycle.Kind, since time.Time) iter.Seq2[event.Coverage, error] {
	stream := l.names.AuditStream()
	config := jetstream.OrderedConsumerConfig{FilterSubjects: []string{l.names.AuditPrefix() + "." + token(project) + "." + token(string(kind))}}
	if !since.IsZero() {
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &since
	}
	return func(yield func(event.Coverage, error) bool) {
		for m, err := range l.messages(ctx, stream, config, false) {
			if err != nil {
				yield(event.Coverage{}, err)
				return
			}
			record, err := event.DecodeCoverage(m.Data())
			if err != nil {
				err = fmt.Errorf("%s, message %d: %w", stream, m.meta.Sequence.Stream, err)
			}
			if (err != nil || project == "" || record.Project == project) && !yield(record, err) {
				return
			}
		}
	}
}
