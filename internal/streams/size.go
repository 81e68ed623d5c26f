package streams

import (
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// maxBucket bounds the buckets that have a few small entries for each project, where streams have size limits at all.
const maxBucket = 64 << 20

// limited gives streams the configured size limit, or a smaller one: their own, or [maxBucket] where a bucket stays small.
// Servers reserve the sum of all limits.
func (c Config) limited(all []jetstream.StreamConfig) []jetstream.StreamConfig {
	if c.MaxBytes <= 0 {
		return all
	}
	for i, stream := range all {
		limit := c.MaxBytes
		if stream.MaxBytes > 0 {
			limit = min(limit, stream.MaxBytes)
		}
		if stream.Name == c.lease().Name || stream.Name == c.notes().Name {
			limit = min(limit, maxBucket)
		}
		all[i].MaxBytes = limit
	}
	return all
}

// reserved is the sum of the streams' size limits, in bytes; a stream without one does not count.
func (c Config) reserved() (bytes int64) {
	for _, stream := range c.all() {
		bytes += max(0, stream.MaxBytes)
	}
	return bytes
}

// A SizeError is for a stream that JetStream does not create because of its size limit.
type SizeError struct {
	Stream   string
	Unbound  bool  // the account requires a size limit, and the stream has none
	Reserved int64 // the sum of the limits of all streams
	err      error
}

func (e *SizeError) Error() string { return fmt.Sprintf("stream %s: %v", e.Stream, e.err) }

func (e *SizeError) Unwrap() error { return e.err }

// sizeError returns a [*SizeError] when a stream was not created because of its size limit, and else nil.
func (c Config) sizeError(want jetstream.StreamConfig, err error) error {
	unbound := Refused(err, codeSizeRequired)
	if unbound || Refused(err, codeNoStorage) || Refused(err, codeAccountExceeded) || Refused(err, codeSizeExceeded) {
		return &SizeError{want.Name, unbound, c.reserved(), err}
	}
	return nil
}
