package eventlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/noanswer"
)

// Notes returns the bucket of what bridges store for each other; nil if no bridge has run. A forbidden request fails at
// once. The caller must not send other requests to JetStream meanwhile ([noanswer.CancelWhenForbidden]).
func (l *Log) Notes(ctx context.Context) (jetstream.KeyValue, error) {
	bucket := l.names.NotesBucket()
	reqCtx, stop := noanswer.CancelWhenForbidden(ctx, l.js.Conn(), bucket)
	defer stop()
	notes, err := l.js.KeyValue(reqCtx, bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", bucket, noanswer.Explain(ctx, l.js, err, bucket))
	}
	return notes, nil
}
