package streams

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// EnsureProgress creates the bucket of the progress of jobs if it is missing and [Config].Create allows that, and returns its
// info. It is not part of [Ensure], and a [Watcher] does not watch it: a bridge works without it, for instance where an operator
// has not created it, or where an account has no memory for streams.
//
// Unlike Ensure it does not notice a permissions violation at once, but after its time limit, so that it can be called while the
// bridge runs.
func EnsureProgress(ctx context.Context, js jetstream.JetStream, c Config) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, progressTimeout)
	defer cancel()
	want := c.withSizeLimits([]jetstream.StreamConfig{c.progress()})[0]
	info, err := find(ctx, js, want, c.Create)
	if err != nil {
		return nil, classify(want, err, c)
	}
	return info, checkConfig(want, info)
}

// progressTimeout limits the requests of [EnsureProgress].
const progressTimeout = 5 * time.Second
