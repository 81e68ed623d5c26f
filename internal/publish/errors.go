package publish

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/streams"
)

// ErrUnavailable is for an observation that JetStream cannot store now. Observing it again is safe.
var ErrUnavailable = errors.New("JetStream cannot store it now")

// encodeError is for an event that cannot be written down, however often it is tried.
type encodeError struct{ error }

func (e encodeError) Unwrap() error { return e.error }

// permanent says whether reading the stream and deciding again cannot help: JetStream answered, and
// not with a conflict, or there is no event to publish.
func permanent(err error) bool {
	if _, ok := errors.AsType[encodeError](err); ok {
		return true
	}
	_, answered := errors.AsType[*jetstream.APIError](err)
	return answered && !streams.Conflicted(err)
}

// unanswered says whether a write waited for JetStream until its deadline. The write is not tried again here: MK.IO delivers
// again, or the next poll shows the same, and that finds out what became of it.
func unanswered(err error) bool { return errors.Is(err, context.DeadlineExceeded) }

// troubled says whether an error is JetStream's trouble.
func troubled(err error) bool {
	_, ok := errors.AsType[trouble](err)
	return ok
}

// readError is for a read that JetStream did not answer, or refused. It is no trouble of those who write: JetStream's API,
// which reads go through, has a queue that everybody shares.
type readError struct{ error }

func (r readError) Unwrap() error { return r.error }

// readFailed says whether an error is a [readError].
func readFailed(err error) bool {
	_, ok := errors.AsType[readError](err)
	return ok
}

// trouble is JetStream's own: it does not answer, or says that it cannot store.
type trouble struct{ error }

func (t trouble) Unwrap() error { return t.error }

// Codes with which JetStream refuses one message, whatever it could store else.
const (
	codeMessageTooLarge jetstream.ErrorCode = 10054
	codeHeaderTooLarge  jetstream.ErrorCode = 10097
)

// troubleOf marks the error of a request as trouble, unless it is a conflict or concerns this one message only. It is no
// trouble either if the caller's context ended: the caller left, or had waited too long elsewhere.
func troubleOf(ctx context.Context, err error) error {
	switch {
	case err == nil, streams.Conflicted(err), streams.Refused(err, codeMessageTooLarge), streams.Refused(err, codeHeaderTooLarge),
		errors.Is(err, nats.ErrMaxPayload), ctx.Err() != nil:
		return err
	}
	return trouble{err}
}
