package eventlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/noanswer"
)

// Notes returns the bucket of notes beside the log; nil where no bridge has run. It is for callers that ask JetStream for
// nothing else meanwhile: it does not wait for an answer that the servers do not allow.
func (l *Log) Notes(ctx context.Context) (jetstream.KeyValue, error) {
	bucket := l.names.NotesBucket()
	asking, stop := noanswer.UntilForbidden(ctx, l.js.Conn(), bucket)
	defer stop()
	notes, err := l.js.KeyValue(asking, bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", bucket, noanswer.Why(ctx, l.js, err, bucket))
	}
	return notes, nil
}
