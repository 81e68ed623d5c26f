package streams

import (
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// maxBucket bounds, where sizes are limited at all, the buckets that have a few small entries for each project.
const maxBucket = 64 << 20

// limited gives streams their limit of size. One that has a smaller limit anyway, or that stays small, keeps it: servers
// set aside what the limits of all streams come to.
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

// reserved is what the limits of all streams come to, in bytes; what has none does not count.
func (c Config) reserved() (bytes int64) {
	for _, stream := range c.all() {
		bytes += max(0, stream.MaxBytes)
	}
	return bytes
}

// A SizeError is for a stream that JetStream does not make because of its size.
type SizeError struct {
	Stream   string
	Unbound  bool  // the account requires a limit of size, and the stream has none
	Reserved int64 // what the limits of all streams come to
	err      error
}

func (e *SizeError) Error() string { return fmt.Sprintf("stream %s: %v", e.Stream, e.err) }

func (e *SizeError) Unwrap() error { return e.err }

// sizeError returns a [*SizeError] where an error to make a stream is one, and else nil.
func (c Config) sizeError(want jetstream.StreamConfig, err error) error {
	unbound := Refused(err, codeSizeRequired)
	if unbound || Refused(err, codeNoStorage) || Refused(err, codeAccountExceeded) || Refused(err, codeSizeExceeded) {
		return &SizeError{want.Name, unbound, c.reserved(), err}
	}
	return nil
}
