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

// StoreUnapplied stores a delivery that became no event in MKIO_UNAPPLIED, once: a body that is stored already is not stored again.
// Every error wraps [ErrUnavailable]; nothing is deleted to make room.
func (p *Publisher) StoreUnapplied(ctx context.Context, u lifecycle.Unapplied) (err error) {
	ctx, span := p.tracer.Produce(ctx, "keep")
	defer func() { endKeep(span, p.names.UnappliedStream(), u, err) }()
	if err := p.Trouble(); err != nil {
		p.metrics.failed.Inc()
		return err
	}
	through, err := p.watchdog.unappliedBreaker.allow()
	if err != nil {
		p.metrics.failed.Inc()
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, p.names.UnappliedStream(), err)
	}
	publishing, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	msg := p.unappliedMessage(u)
	event.Trace(tracing.Here(ctx)).AddTo(msg.Header.Set)
	// Only "another sequence" says that it is stored. On a replicated stream "in flight" says that somebody else is
	// about to: what becomes of that is awaited.
	for wait := retryWait; ; wait = min(2*wait, maxWait) {
		_, err = p.js.PublishMsg(publishing, msg,
			jetstream.WithExpectLastSequencePerSubject(0), jetstream.WithExpectStream(p.names.UnappliedStream()), jetstream.WithRetryAttempts(0))
		if !streams.Refused(err, streams.CodeWrongLastSequenceInFlight) || pause.For(publishing, wait) != nil {
			break
		}
	}
	switch {
	case err == nil:
		p.watchdog.unappliedBreaker.worked()
	case streams.Refused(err, codeNotStored):
		// It is full, as a rule: that is no news to wait for, and room is made by whoever reads it.
		p.metrics.failed.Inc()
		return fmt.Errorf("%w: keep a delivery on %s: %w: when %s is full, look through it and purge it, or raise its max_bytes", ErrUnavailable, msg.Subject, err, p.names.UnappliedStream())
	case !streams.Refused(err, streams.CodeWrongLastSequence):
		if unanswered(err) {
			p.watchdog.unappliedBreaker.trip(through, troubleOf(ctx, err))
		}
		rouse(p.watchdog.wake) // the stream may be gone
		p.metrics.failed.Inc()
		return fmt.Errorf("%w: keep a delivery on %s: %w", ErrUnavailable, msg.Subject, err)
	}
	p.metrics.unapplied.WithLabelValues(string(u.Reason)).Inc()
	return nil
}

// codeNotStored is JetStream's code for a message that a stream did not take, with the reason in words.
const codeNotStored jetstream.ErrorCode = 10077

// unappliedMessage puts the body's digest into the subject, so that the stream itself knows repeats.
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
	if room := max(0, int(p.nc.MaxPayload())-unappliedHeaderRoom); len(msg.Data) > room {
		msg.Data = msg.Data[:room]
	}
	return msg
}

// unappliedHeaderRoom is kept free for the headers of a body that fills the rest of a message.
const unappliedHeaderRoom = 8 << 10

// DeleteUnapplied deletes the delivery at a sequence of MKIO_UNAPPLIED; the caller found that the log has it by now. A
// delivery that is not there any more is no error. Every error wraps [ErrUnavailable].
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
	// The answer does not say whether somebody else was first.
	m, lookErr := p.reader.get(ctx, stream, map[string]any{"seq": sequence})
	if m == nil && lookErr == nil {
		return nil
	}
	return fmt.Errorf("%w: remove message %d of %s: %w", ErrUnavailable, sequence, stream, errors.Join(err, lookErr))
}
