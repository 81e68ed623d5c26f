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
	config := l.coverageOf(project, kind)
	if !since.IsZero() {
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &since
	}
	return func(yield func(event.Coverage, error) bool) {
		for r, err := range l.coverage(ctx, config) {
			if !yield(r.Record, err) {
				return
			}
		}
	}
}

// A StoredCoverage is a record as its stream keeps it.
type StoredCoverage struct {
	Sequence uint64
	Stored   time.Time
	Record   event.Coverage
}

// FirstCoverage returns the oldest record that is kept of a project and kind ("": any); zero where there is none.
func (l *Log) FirstCoverage(ctx context.Context, project string, kind lifecycle.Kind) (StoredCoverage, error) {
	for r, err := range l.coverage(ctx, l.coverageOf(project, kind)) {
		return r, err
	}
	return StoredCoverage{}, nil
}

// coverageOf chooses the records of a project and kind.
func (l *Log) coverageOf(project string, kind lifecycle.Kind) jetstream.OrderedConsumerConfig {
	var config jetstream.OrderedConsumerConfig
	for _, p := range spellings(project) {
		config.FilterSubjects = append(config.FilterSubjects, l.names.AuditPrefix()+"."+p+"."+cmp.Or(string(kind), "*"))
	}
	return config
}

func (l *Log) coverage(ctx context.Context, config jetstream.OrderedConsumerConfig) iter.Seq2[StoredCoverage, error] {
	stream := l.names.AuditStream()
	return func(yield func(StoredCoverage, error) bool) {
		for m, err := range l.messages(ctx, stream, config, false) {
			if err != nil {
				yield(StoredCoverage{}, err)
				return
			}
			record, err := event.DecodeCoverage(m.Data())
			if err != nil {
				err = fmt.Errorf("%s, message %d: %w", stream, m.meta.Sequence.Stream, err)
			}
			if !yield(StoredCoverage{m.meta.Sequence.Stream, m.meta.Timestamp, record}, err) {
				return
			}
		}
	}
}
