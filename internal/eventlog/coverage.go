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

// Coverage returns the coverage records of a project and kind ("": any), since a time (zero: all), oldest first.
func (l *Log) Coverage(ctx context.Context, project string, kind lifecycle.Kind, since time.Time) iter.Seq2[event.Coverage, error] {
	config := l.coverageConfig(project, kind)
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

// LastCoverages returns the last coverage record of each project and kind.
func (l *Log) LastCoverages(ctx context.Context) ([]event.Coverage, error) {
	var records []event.Coverage
	config := l.coverageConfig("", "")
	config.DeliverPolicy = jetstream.DeliverLastPerSubjectPolicy
	for r, err := range l.coverage(ctx, config) {
		if err != nil {
			return nil, err
		}
		records = append(records, r.Record)
	}
	return records, nil
}

// A StoredCoverage is a coverage record with its sequence and time in the stream.
type StoredCoverage struct {
	Sequence uint64
	Stored   time.Time
	Record   event.Coverage
}

// FirstCoverage returns the oldest coverage record of a project and kind ("": any); zero if there is none.
func (l *Log) FirstCoverage(ctx context.Context, project string, kind lifecycle.Kind) (StoredCoverage, error) {
	for r, err := range l.coverage(ctx, l.coverageConfig(project, kind)) {
		return r, err
	}
	return StoredCoverage{}, nil
}

// coverageConfig returns a consumer of the records of a project and kind.
func (l *Log) coverageConfig(project string, kind lifecycle.Kind) jetstream.OrderedConsumerConfig {
	var config jetstream.OrderedConsumerConfig
	for _, p := range nameTokens(project) {
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
