package publish

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/streams"
)

// ErrUnavailable is the error of an observation that JetStream cannot store now. Observing it again is safe.
var ErrUnavailable = errors.New("JetStream is unavailable")

// encodeError is the error of an event that cannot be encoded.
type encodeError struct{ error }

func (e encodeError) Unwrap() error { return e.error }

// permanent reports whether reading the stream and deciding again cannot help: JetStream responded, and
// not with a conflict, or there is no event to publish.
func permanent(err error) bool {
	if _, ok := errors.AsType[encodeError](err); ok {
		return true
	}
	_, responded := errors.AsType[*jetstream.APIError](err)
	return responded && !streams.Conflicted(err)
}

// timedOut reports whether a write waited for JetStream until its deadline. The write is not retried here: MK.IO delivers
// again, or the next poll observes the same, and that reads whether it was stored.
func timedOut(err error) bool { return errors.Is(err, context.DeadlineExceeded) }

// isStoreError reports whether an error is a [storeError].
func isStoreError(err error) bool {
	_, ok := errors.AsType[storeError](err)
	return ok
}

// readError is the error of a read that JetStream did not respond to, or refused. It says nothing about writes: JetStream's
// API, which serves reads, has a queue that all clients share.
type readError struct{ error }

func (r readError) Unwrap() error { return r.error }

// isReadError reports whether an error is a [readError].
func isReadError(err error) bool {
	_, ok := errors.AsType[readError](err)
	return ok
}

// storeError is an error of JetStream itself: it does not acknowledge a write, or says that it cannot store.
type storeError struct{ error }

func (t storeError) Unwrap() error { return t.error }

// Codes with which JetStream refuses a single message.
const (
	codeMessageTooLarge jetstream.ErrorCode = 10054
	codeHeaderTooLarge  jetstream.ErrorCode = 10097
)

// asStoreError marks the error of a write as a [storeError], unless it is a conflict or concerns this one message only. It
// is none either if the caller's context ended: the caller left, or had waited too long elsewhere.
func asStoreError(ctx context.Context, err error) error {
	switch {
	case err == nil, streams.Conflicted(err), streams.Refused(err, codeMessageTooLarge), streams.Refused(err, codeHeaderTooLarge),
		errors.Is(err, nats.ErrMaxPayload), ctx.Err() != nil:
		return err
	}
	return storeError{err}
}
