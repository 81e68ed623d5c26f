package eventlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/noanswer"
)

// Leaders returns what the leader of each project publishes with its lease. A project without a leader is absent; one whose
// leader is of a version that publishes nothing has only its name.
func (l *Log) Leaders(ctx context.Context, projects []string) (map[string]event.Leader, error) {
	bucket := l.names.LeaseBucket()
	leases, err := l.js.KeyValue(ctx, bucket)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", bucket, noanswer.Explain(ctx, l.js, err, bucket))
	}
	leaders := map[string]event.Leader{}
	for _, project := range projects {
		entry, err := leases.Get(ctx, event.NameToken(project))
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("bucket %s: %w", bucket, noanswer.Explain(ctx, l.js, err, bucket))
		}
		leader, ok := event.DecodeLeader(entry.Value())
		if !ok {
			leader = event.Leader{Project: project}
		}
		leaders[project] = leader
	}
	return leaders, nil
}
