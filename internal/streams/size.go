package streams

import (
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// maxSmallBucket limits, in bytes, the buckets that have few small keys, if the streams have size limits.
const maxSmallBucket = 64 << 20

// withSizeLimits gives each stream the configured size limit, or a smaller one: its own, or [maxSmallBucket]. Servers
// reserve the sum of all limits.
func (c Config) withSizeLimits(all []jetstream.StreamConfig) []jetstream.StreamConfig {
	if c.MaxBytes <= 0 {
		return all
	}
	for i, stream := range all {
		limit := c.MaxBytes
		if stream.MaxBytes > 0 {
			limit = min(limit, stream.MaxBytes)
		}
		if slices.Contains([]string{c.lease().Name, c.notes().Name, c.progress().Name}, stream.Name) {
			limit = min(limit, maxSmallBucket)
		}
		all[i].MaxBytes = limit
	}
	return all
}

// reservedBytes returns the sum of the size limits of the streams on disk; a stream without one does not count.
func (c Config) reservedBytes() (bytes int64) {
	for _, stream := range c.all() {
		bytes += max(0, stream.MaxBytes)
	}
	return bytes
}

// A SizeError is the error of a stream that JetStream does not create because of its size limit.
type SizeError struct {
	Stream    string
	Unlimited bool  // the account requires a size limit, and the stream has none
	Reserved  int64 // the sum of the limits of all streams, in bytes
	err       error
}

func (e *SizeError) Error() string { return fmt.Sprintf("stream %s: %v", e.Stream, e.err) }

func (e *SizeError) Unwrap() error { return e.err }

// sizeError returns a [*SizeError] if a stream was not created because of its size limit, and else nil.
func (c Config) sizeError(want jetstream.StreamConfig, err error) error {
	unbound := Refused(err, codeSizeRequired)
	if unbound || Refused(err, codeNoStorage) || Refused(err, codeAccountExceeded) || Refused(err, codeSizeExceeded) {
		return &SizeError{want.Name, unbound, c.reservedBytes(), err}
	}
	return nil
}
