package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A publisher publishes jobs.
type publisher struct {
	settings
	events jetstream.Stream // the log
	mkio   client
	out    io.Writer
	log    *slog.Logger
}

// data has the fields of an event's data that this program reads; `mkio-bridge schema state-changed` describes all.
type data struct {
	Project  string
	Path     []string
	Evidence struct{ Life string }
	Resource jobRecord // absent if the bridge omits records
}

// consume handles one event after another until the context ends. It fetches no event before it can handle it, because the
// time for the acknowledgement begins with the delivery.
func (p *publisher) consume(ctx context.Context, consumer jetstream.Consumer) error {
	for ctx.Err() == nil {
		fetching, done := context.WithTimeout(ctx, 5*time.Second) // after a restart of NATS the request must be sent again
		m, err := consumer.Next(jetstream.FetchContext(fetching))
		done()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = m.Nak() // fails at worst later, after -ack-wait
			}
		case err == nil:
			p.handle(ctx, m)
		case errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded): // no event yet
		case errors.Is(err, jetstream.ErrConsumerDeleted):
			return err
		default: // NATS is away, or restarts; the client reconnects
			p.log.Warn("no event from NATS; trying again", "error", err)
			pause(ctx, time.Second)
		}
	}
	return nil
}

// handle tries once to publish the job of an event, and acknowledges the event, asks for its redelivery or gives it up.
func (p *publisher) handle(ctx context.Context, m jetstream.Msg) {
	log := p.log.With("subject", m.Subject())
	meta, err := m.Metadata()
	if err != nil {
		log.Error("message is not from a stream", "error", err)
		return
	}
	e, d, err := decode(m.Data())
	if err != nil {
		log.Error("not an event of a job", "error", err)
		p.answer(log, m.TermWithReason("not an event of a job"))
		return
	}
	if strings.HasSuffix(e.Type(), ".state.discovered") { // the job finished before the bridge was there: no news
		p.answer(log, p.acknowledge(ctx, m))
		return
	}
	working, done := context.WithCancel(ctx)
	go p.keepAlive(working, m)
	err = p.publish(working, m.Subject(), d)
	done()
	switch delay := retryDelay(meta.NumDelivered, err); {
	case err == nil:
		p.answer(log, p.acknowledge(ctx, m))
	case p.dryRun:
		log.Warn("job skipped", "error", err)
	case ctx.Err() != nil: // this program is stopped: another copy, or the next start, continues
		p.answer(log, m.Nak())
	case time.Since(meta.Timestamp) > p.giveUp:
		log.Error("job not published; given up", "error", err)
		p.answer(log, m.TermWithReason(err.Error()))
	default:
		log.Warn("job not published yet; trying again", "after", delay, "error", err)
		p.answer(log, m.NakWithDelay(delay))
	}
}

// decode decodes an event. The SDK panics on some JSON, which must not stop the events after it.
func decode(payload []byte) (e event.Event, d data, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the CloudEvents SDK panicked: %v", r)
		}
	}()
	if err = json.Unmarshal(payload, &e); err == nil {
		err = e.DataAs(&d)
	}
	if err == nil && (d.Project == "" || len(d.Path) != 2) {
		err = errors.New("the event names no job")
	}
	return e, d, err
}

// keepAlive tells NATS that the work is in progress, until the context ends: else NATS would deliver the event again although
// this program lives.
func (p *publisher) keepAlive(ctx context.Context, m jetstream.Msg) {
	for pause(ctx, p.ackWait/3) {
		p.answer(p.log, m.InProgress())
	}
}

// acknowledge acknowledges an event, and waits until NATS has stored that.
func (p *publisher) acknowledge(ctx context.Context, m jetstream.Msg) error {
	if p.dryRun {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return m.DoubleAck(ctx)
}

// answer logs an acknowledgement that failed: NATS will deliver the event again.
func (p *publisher) answer(log *slog.Logger, err error) {
	if err != nil && !p.dryRun {
		log.Warn("acknowledgement failed; NATS will deliver the event again", "error", err)
	}
}

// retryDelay returns the pause before an event is delivered again: a second, doubled with each delivery up to five minutes, or
// what MK.IO asks for.
func retryDelay(deliveries uint64, err error) time.Duration {
	delay := min(time.Second<<min(deliveries-1, 10), 5*time.Minute)
	if failure, ok := errors.AsType[*apiError](err); ok {
		delay = max(delay, failure.retryAfter)
	}
	return delay
}

// pause waits; false if the context ended before.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
