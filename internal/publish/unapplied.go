package publish

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/pause"
	"mkio-bridge/internal/streams"
	"mkio-bridge/internal/tracing"
)

// StoreUnapplied stores a delivery that became no event in MKIO_UNAPPLIED, once: a body that is stored already is not stored
// again. Every error wraps [ErrUnavailable]. A full stream refuses the delivery and deletes no older one.
func (p *Publisher) StoreUnapplied(ctx context.Context, u lifecycle.Unapplied) (err error) {
	ctx, span := p.tracer.Produce(ctx, "store unapplied")
	defer func() { endStoreUnapplied(span, p.names.UnappliedStream(), u, err) }()
	if err := p.Unavailable(); err != nil {
		p.metrics.failed.Inc()
		return err
	}
	gen, err := p.watchdog.unappliedBreaker.allow()
	if err != nil {
		p.metrics.failed.Inc()
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, p.names.UnappliedStream(), err)
	}
	publishing, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	msg := p.unappliedMessage(u)
	event.Trace(tracing.Current(ctx)).AddTo(msg.Header.Set)
	// Only [streams.CodeWrongLastSequence] means that the body is stored. A replicated stream also refuses a write while
	// another of the same body is in flight: it is retried until that one is stored or fails.
	for wait := retryWait; ; wait = min(2*wait, maxWait) {
		_, err = p.js.PublishMsg(publishing, msg,
			jetstream.WithExpectLastSequencePerSubject(0), jetstream.WithExpectStream(p.names.UnappliedStream()), jetstream.WithRetryAttempts(0))
		if !streams.Refused(err, streams.CodeWrongLastSequenceInFlight) || pause.For(publishing, wait) != nil {
			break
		}
	}
	switch {
	case err == nil:
		p.watchdog.unappliedBreaker.acknowledged()
	case streams.Refused(err, codeNotStored):
		// Usually the stream is full. That opens no breaker, because waiting does not help: an operator has to purge the stream.
		p.metrics.failed.Inc()
		return fmt.Errorf("%w: store unapplied delivery on %s: %w: if %s is full, review and purge it, or raise its max_bytes", ErrUnavailable, msg.Subject, err, p.names.UnappliedStream())
	case !streams.Refused(err, streams.CodeWrongLastSequence):
		if timedOut(err) {
			p.watchdog.unappliedBreaker.trip(gen, asStoreError(ctx, err))
		}
		signal(p.watchdog.wake) // the stream may be gone
		p.metrics.failed.Inc()
		return fmt.Errorf("%w: store unapplied delivery on %s: %w", ErrUnavailable, msg.Subject, err)
	}
	p.metrics.unapplied.WithLabelValues(string(u.Reason)).Inc()
	return nil
}

// codeNotStored is JetStream's code for a message that a stream did not store; the error's description has the reason.
const codeNotStored jetstream.ErrorCode = 10077

// unappliedMessage encodes a delivery. The subject ends with the body's digest, so that the stream itself refuses
// duplicates.
func (p *Publisher) unappliedMessage(u lifecycle.Unapplied) *nats.Msg {
	subject := p.names.UnappliedPrefix() + "." + string(u.Reason)
	if u.Key != nil {
		subject += "." + p.names.Resource(*u.Key)
	}
	msg := nats.NewMsg(subject + "." + u.Digest[:32])
	msg.Header = nats.Header{
		event.HeaderReason:   {string(u.Reason)},
		event.HeaderDetail:   {url.PathEscape(u.Detail)},
		event.HeaderReceived: {u.Received.UTC().Format(time.RFC3339Nano)},
		event.HeaderLength:   {strconv.Itoa(u.Length)},
		event.HeaderDigest:   {u.Digest},
	}
	msg.Data = u.Body
	if limit := max(0, int(p.nc.MaxPayload())-maxUnappliedHeaders); len(msg.Data) > limit {
		msg.Data = msg.Data[:limit]
	}
	return msg
}

// maxUnappliedHeaders is reserved for the headers in a message whose body is cut, in bytes.
const maxUnappliedHeaders = 8 << 10

// DeleteUnapplied deletes the delivery at a sequence of MKIO_UNAPPLIED, after a retry found it recorded in the log. A
// delivery that no longer exists is no error. Every error wraps [ErrUnavailable].
func (p *Publisher) DeleteUnapplied(ctx context.Context, sequence uint64) error {
	stream := p.names.UnappliedStream()
	deleting, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	stored, err := p.js.Stream(deleting, stream)
	if err == nil {
		err = stored.DeleteMsg(deleting, sequence)
	}
	if err == nil {
		return nil
	}
	// The response does not say whether another bridge deleted it before.
	m, readErr := p.reader.get(ctx, stream, map[string]any{"seq": sequence})
	if m == nil && readErr == nil {
		return nil
	}
	return fmt.Errorf("%w: delete message %d of %s: %w", ErrUnavailable, sequence, stream, errors.Join(err, readErr))
}
