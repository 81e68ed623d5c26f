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

	"github.com/nats-io/nats.go/jetstream"
)

// consumerOf makes the durable consumer, or takes up the one that is there with the settings of today.
func consumerOf(ctx context.Context, js jetstream.JetStream, s settings) (jetstream.Consumer, error) {
	config := jetstream.ConsumerConfig{
		Durable:        s.durable,
		FilterSubjects: s.subjects,
		AckPolicy:      jetstream.AckExplicitPolicy,
		// NATS gives an event out again when this program has been silent for so long: it must be longer than a try.
		AckWait:       s.ackWait(),
		MaxAckPending: s.pending,
		// The last try is counted here, not by NATS: it would drop an event whose last try a crash cut short, without a
		// dead letter. For the same reason the pauses are asked for with each refusal (NakWithDelay) and are not the
		// consumer's BackOff, which stands in for AckWait: its first second would be shorter than a slow request.
		MaxDeliver:    -1,
		DeliverPolicy: jetstream.DeliverNewPolicy,
	}
	if s.all {
		config.DeliverPolicy = jetstream.DeliverAllPolicy
	}
	switch existing, err := js.Consumer(ctx, s.stream, s.durable); {
	case err == nil:
		config.DeliverPolicy = existing.CachedInfo().Config.DeliverPolicy // where it began cannot be changed
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, errors.New("the stream does not exist: has a bridge run on this NATS?")
	case !errors.Is(err, jetstream.ErrConsumerNotFound):
		return nil, err
	}
	return js.CreateOrUpdateConsumer(ctx, s.stream, config)
}

// ackWait is the time for a try: asking the receiver, storing a dead letter, telling NATS.
func (s settings) ackWait() time.Duration { return s.timeout + 10*time.Second }

// A notifier tells a receiver of events.
type notifier struct {
	settings
	receiver receiver
	dead     deadLetters
	log      *slog.Logger
}

// An event is what a notifier looks at of a CloudEvent.
type event struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// consume tells what the consumer gives. When the context ends it takes no more, and waits for what is under way.
func (n *notifier) consume(ctx context.Context, consumer jetstream.Consumer) error {
	messages, err := consumer.Messages(jetstream.PullMaxMessages(n.pending))
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, messages.Drain)()
	var underWay sync.WaitGroup // as many as the consumer lets out unacknowledged
	defer underWay.Wait()
	for {
		m, err := messages.Next()
		switch {
		case ctx.Err() != nil && err != nil:
			return nil
		case errors.Is(err, jetstream.ErrNoHeartbeat):
			n.log.Warn("NATS does not answer; waiting for it")
		case err != nil:
			return fmt.Errorf("read consumer %s: %w", n.durable, err)
		default:
			// A try that has begun may end: half of one could have been heard.
			underWay.Go(func() { n.handle(context.WithoutCancel(ctx), m) })
		}
	}
}

// handle makes one try with an event, and says to NATS what became of it.
func (n *notifier) handle(ctx context.Context, m jetstream.Msg) {
	ctx, cancel := context.WithTimeout(ctx, n.ackWait())
	defer cancel()
	meta, err := m.Metadata()
	if err != nil {
		n.log.Error("a message that no stream delivered", "subject", m.Subject(), "error", err)
		return
	}
	tries := int(min(meta.NumDelivered, 1<<20))
	var e event
	err = json.Unmarshal(m.Data(), &e)
	log := n.log.With("id", e.ID, "subject", m.Subject(), "try", tries)
	if err == nil && !n.discovered && strings.HasSuffix(e.Type, ".state.discovered") {
		n.done(log, m.DoubleAck(ctx))
		return
	}
	failure := n.tell(ctx, m.Data(), e, err)
	switch {
	case failure == nil:
		log.Info("told")
		n.done(log, m.DoubleAck(ctx))
	case failure.permanent || tries > len(n.waits):
		n.giveUp(ctx, log, m, letter{Consumer: n.durable, ID: e.ID, Subject: m.Subject(), Sequence: meta.Sequence.Stream, Tries: tries, Reason: failure.Error(), Event: m.Data()})
	default:
		wait := max(n.waits[tries-1], failure.retryAfter)
		log.Warn("not told; trying again", "after", wait, "reason", failure)
		n.done(log, m.NakWithDelay(wait))
	}
}

// tell posts an event. What is wrong with the event or the template will be wrong the next time.
func (n *notifier) tell(ctx context.Context, payload []byte, e event, err error) *failure {
	if err != nil {
		return &failure{error: fmt.Errorf("it is no CloudEvent: %w", err), permanent: true}
	}
	body, err := render(n.text, payload)
	if err != nil {
		return &failure{error: err, permanent: true}
	}
	return n.receiver.post(ctx, e.ID, body)
}

// giveUp writes the dead letter, then lets go of the event. A crash in between writes the letter again: it has the id.
func (n *notifier) giveUp(ctx context.Context, log *slog.Logger, m jetstream.Msg, l letter) {
	l.Time = time.Now().UTC()
	if err := n.dead.keep(ctx, l); err != nil {
		log.Error("the dead letter cannot be stored; the event is kept and tried again", "error", err)
		n.done(log, m.NakWithDelay(time.Minute))
		return
	}
	log.Error("given up, see the dead letter", "reason", l.Reason)
	n.done(log, m.TermWithReason(l.Reason))
}

// done looks at whether NATS has heard. If not, it gives the event out again.
func (n *notifier) done(log *slog.Logger, err error) {
	if err != nil {
		log.Warn("NATS could not be told what became of an event: it will come again", "error", err)
	}
}
