// Consume-go prints a line for each job that finished. After a restart it resumes where it stopped.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "consume-go:", err)
		os.Exit(1)
	}
}

// data has the fields of an event's data that this program reads; `mkio-bridge schema state-changed.schema.json` describes all.
type data struct {
	Kind          string
	Project       string
	Path          []string
	PreviousState string
	State         string
}

func run(ctx context.Context) error {
	nc, err := nats.Connect(cmp.Or(os.Getenv("NATS_URL"), nats.DefaultURL), nats.MaxReconnects(-1))
	if err != nil {
		return fmt.Errorf("connect to NATS (set NATS_URL to its address): %w", err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	consumer, err := js.CreateOrUpdateConsumer(ctx, "MKIO_EVENTS", jetstream.ConsumerConfig{
		Durable:        "consume-go", // the consumer for which NATS stores what was acknowledged
		FilterSubjects: []string{"mkio.job.*.*.*.finished"},
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        30 * time.Second, // NATS redelivers an event that is not acknowledged in this time
	})
	if err != nil {
		return fmt.Errorf("consumer consume-go of MKIO_EVENTS (has a bridge run on this NATS?): %w", err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, messages.Drain)() // received events are still printed
	for {
		m, err := messages.Next()
		switch {
		case err != nil && ctx.Err() != nil:
			return nil
		case errors.Is(err, jetstream.ErrNoHeartbeat): // NATS is down; the client reconnects
		case err != nil:
			return err
		default:
			if err := handle(ctx, m); err != nil {
				return err
			}
		}
	}
}

// handle prints an event, then acknowledges it. A crash in between prints it twice: a service that must not act twice stores
// the event's id.
func handle(ctx context.Context, m jetstream.Msg) error {
	var e event.Event
	if err := e.UnmarshalJSON(m.Data()); err != nil {
		return fmt.Errorf("%s: %w", m.Subject(), err)
	}
	var d data
	if err := e.DataAs(&d); err != nil {
		return fmt.Errorf("%s: %w", m.Subject(), err)
	}
	fmt.Printf("%s %s %s/%s %s → %s\n", e.Time().Format(time.RFC3339), d.Kind, d.Project, strings.Join(d.Path, "/"), d.PreviousState, d.State)
	acknowledging, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return m.DoubleAck(acknowledging)
}
