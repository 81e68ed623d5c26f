package publish

import (
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// maxBucket bounds, where sizes are limited at all, the buckets that have a few small entries for each project.
const maxBucket = 64 << 20

// limited gives streams their limit of size. One that has a smaller limit anyway, or that stays small, keeps it: servers
// set aside what the limits of all streams come to.
func (s Streams) limited(all []jetstream.StreamConfig) []jetstream.StreamConfig {
	if s.MaxBytes <= 0 {
		return all
	}
	for i, c := range all {
		limit := s.MaxBytes
		if c.MaxBytes > 0 {
			limit = min(limit, c.MaxBytes)
		}
		if c.Name == s.lease().Name || c.Name == s.notes().Name {
			limit = min(limit, maxBucket)
		}
		all[i].MaxBytes = limit
	}
	return all
}

// reserved is what the limits of all streams come to, in bytes; what has none does not count.
func (s Streams) reserved() (bytes int64) {
	for _, c := range s.all() {
		bytes += max(0, c.MaxBytes)
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

// Codes with which JetStream refuses to make a stream because of its size.
const (
	codeNoStorage       jetstream.ErrorCode = 10047 // "insufficient storage resources available"
	codeAccountExceeded jetstream.ErrorCode = 10002 // "resource limits exceeded for account"
	codeSizeRequired    jetstream.ErrorCode = 10113 // "account requires a stream config to have max bytes set"
	codeSizeExceeded    jetstream.ErrorCode = 10122 // "stream max bytes exceeds account limit max stream bytes"
)

// sizeError returns a [*SizeError] where an error to make a stream is one, and else nil.
func (s Streams) sizeError(want jetstream.StreamConfig, err error) error {
	unbound := refused(err, codeSizeRequired)
	if unbound || refused(err, codeNoStorage) || refused(err, codeAccountExceeded) || refused(err, codeSizeExceeded) {
		return &SizeError{want.Name, unbound, s.reserved(), err}
	}
	return nil
}
