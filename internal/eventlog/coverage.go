package eventlog

import (
	"cmp"
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
	var config jetstream.OrderedConsumerConfig
	for _, p := range spellings(project) {
		config.FilterSubjects = append(config.FilterSubjects, l.names.AuditPrefix()+"."+p+"."+cmp.Or(string(kind), "*"))
	}
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
			if !yield(record, err) {
				return
			}
		}
	}
}
