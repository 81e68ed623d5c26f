package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go/jetstream"
)

// consumerOf creates the durable consumer, or updates an existing one with the current settings.
func consumerOf(ctx context.Context, js jetstream.JetStream, s settings) (jetstream.Consumer, error) {
	config := jetstream.ConsumerConfig{
		Durable:        s.durable,
		FilterSubjects: s.subjects,
		AckPolicy:      jetstream.AckExplicitPolicy,
		// NATS redelivers an event that is not acknowledged in this time, so it must be longer than a try.
		AckWait:       s.ackWait(),
		MaxAckPending: s.pending,
		// This program counts the tries, not NATS, which would drop an event without a dead letter if a crash interrupted
		// its last try. The pauses are requested with each failure (NakWithDelay) rather than by the consumer's BackOff,
		// which replaces AckWait: its first pause would be shorter than a slow request.
		MaxDeliver:    -1,
		DeliverPolicy: jetstream.DeliverNewPolicy,
	}
	if s.all {
		config.DeliverPolicy = jetstream.DeliverAllPolicy
	}
	switch existing, err := js.Consumer(ctx, s.stream, s.durable); {
	case err == nil:
		config.DeliverPolicy = existing.CachedInfo().Config.DeliverPolicy // cannot be changed
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, errors.New("the stream does not exist: check that a bridge has run on this NATS")
	case !errors.Is(err, jetstream.ErrConsumerNotFound):
		return nil, err
	}
	return js.CreateOrUpdateConsumer(ctx, s.stream, config)
}

// ackWait is the time for one try: the request to the receiver, storing a dead letter, and the acknowledgement.
func (s settings) ackWait() time.Duration { return s.timeout + 10*time.Second }

// A notifier delivers events to a receiver.
type notifier struct {
	settings
	receiver receiver
	dead     deadLetterStore
	log      *slog.Logger
}

// decode decodes a CloudEvent. The SDK panics on some JSON, which must not stop the delivery of all other events.
func decode(payload []byte) (e event.Event, err error) {
	defer func() {
		if r := recover(); r != nil {
			e, err = event.Event{}, fmt.Errorf("the CloudEvents SDK panicked: %v", r)
		}
	}()
	err = json.Unmarshal(payload, &e)
	return e, err
}

// consume delivers the events of the consumer. When the context ends, it accepts no more, and waits for those in flight.
func (n *notifier) consume(ctx context.Context, consumer jetstream.Consumer) error {
	messages, err := consumer.Messages(jetstream.PullMaxMessages(n.pending))
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, messages.Drain)()
	var inFlight sync.WaitGroup // limited by the consumer's MaxAckPending
	defer inFlight.Wait()
	for {
		m, err := messages.Next()
		switch {
		case ctx.Err() != nil && err != nil:
			return nil
		case errors.Is(err, jetstream.ErrNoHeartbeat):
			n.log.Warn("NATS does not respond; waiting")
		case err != nil:
			return fmt.Errorf("read consumer %s: %w", n.durable, err)
		default:
			// A started try is completed: the receiver may have read part of it already.
			inFlight.Go(func() { n.handle(context.WithoutCancel(ctx), m) })
		}
	}
}

// handle tries once to deliver an event, and acknowledges it, requests a redelivery or gives it up.
func (n *notifier) handle(ctx context.Context, m jetstream.Msg) {
	ctx, cancel := context.WithTimeout(ctx, n.ackWait())
	defer cancel()
	meta, err := m.Metadata()
	if err != nil {
		n.log.Error("message is not from a stream", "subject", m.Subject(), "error", err)
		return
	}
	tries := int(min(meta.NumDelivered, 1<<20))
	e, err := decode(m.Data())
	log := n.log.With("id", e.ID(), "subject", m.Subject(), "try", tries)
	if err == nil && !n.discovered && strings.HasSuffix(e.Type(), ".state.discovered") {
		n.logAckError(log, m.DoubleAck(ctx))
		return
	}
	failure := n.deliver(ctx, m.Data(), e, err)
	switch {
	case failure == nil:
		log.Info("event delivered")
		n.logAckError(log, m.DoubleAck(ctx))
	case failure.permanent || tries > len(n.waits):
		n.giveUp(ctx, log, m, deadLetter{Consumer: n.durable, ID: e.ID(), Subject: m.Subject(), Sequence: meta.Sequence.Stream, Tries: tries, Reason: failure.Error(), Event: m.Data()})
	default:
		wait := max(n.waits[tries-1], failure.retryAfter)
		log.Warn("delivery failed; retrying", "after", wait, "reason", failure)
		n.logAckError(log, m.NakWithDelay(wait))
	}
}

// deliver posts an event. Errors of the event or the template are permanent.
func (n *notifier) deliver(ctx context.Context, payload []byte, e event.Event, err error) *failure {
	if err != nil {
		return &failure{error: fmt.Errorf("not a CloudEvent: %w", err), permanent: true}
	}
	body, err := render(n.text, payload)
	if err != nil {
		return &failure{error: err, permanent: true}
	}
	return n.receiver.post(ctx, e.ID(), body)
}

// giveUp stores the dead letter, then terminates the event. A crash in between stores the letter again, with the same id.
func (n *notifier) giveUp(ctx context.Context, log *slog.Logger, m jetstream.Msg, l deadLetter) {
	l.Time = time.Now().UTC()
	if err := n.dead.store(ctx, l); err != nil {
		log.Error("dead letter cannot be stored; retrying the event", "error", err)
		n.logAckError(log, m.NakWithDelay(time.Minute))
		return
	}
	log.Error("event not sent; its dead letter is stored", "reason", l.Reason)
	n.logAckError(log, m.TermWithReason(l.Reason))
}

// logAckError logs a failed acknowledgement: NATS will redeliver the event.
func (n *notifier) logAckError(log *slog.Logger, err error) {
	if err != nil {
		log.Warn("acknowledgement failed; NATS will redeliver the event", "error", err)
	}
}
