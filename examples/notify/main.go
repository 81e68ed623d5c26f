// Notify posts state changes to a webhook or a Slack channel.
//
// It is an example to copy: a durable consumer of the bridge's log that posts each event, and acknowledges it when the
// receiver has accepted it. NATS stores which events are pending and how often each was tried, so this program has no state:
// after any crash, the next run resumes where it stopped.
//
// Each event is delivered at least once. A receiver that must not act twice compares the header Idempotency-Key, which is
// the event's id. An event that the receiver refuses permanently, or has not accepted after the last try, becomes a dead
// letter, and is given up only when that is stored.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "notify:", err)
		os.Exit(1)
	}
}

// run delivers events until the context ends or the consumer is deleted.
func run(ctx context.Context, args []string, stderr io.Writer) error {
	s, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	nc, err := nats.Connect(s.server, s.natsOptions(log)...)
	if err != nil {
		return fmt.Errorf("NATS at %s cannot be reached: %w (-nats sets its address, -creds the credentials)", s.server, err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	dead, err := openDeadLetterStore(ctx, js, s)
	if err != nil {
		return err
	}
	defer func() { _ = dead.Close() }() // letters are durable already
	consumer, err := consumerOf(ctx, js, s)
	if err != nil {
		return fmt.Errorf("consumer %s of stream %s: %w", s.durable, s.stream, err)
	}
	n := notifier{settings: s, receiver: newReceiver(s), dead: dead, log: log}
	log.Info("notify started", "subjects", s.subjects, "consumer", s.durable, "waiting", consumer.CachedInfo().NumPending)
	return n.consume(ctx, consumer)
}

// natsOptions returns the options of the NATS connection, which reconnects forever.
func (s settings) natsOptions(log *slog.Logger) []nats.Option {
	options := []nats.Option{
		nats.Name("notify " + s.durable),
		nats.MaxReconnects(-1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Error("NATS disconnected; reconnecting", "error", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if !errors.Is(err, nats.ErrConnectionClosed) {
				log.Warn("NATS reported an error", "error", err)
			}
		}),
	}
	if s.creds != "" {
		options = append(options, nats.UserCredentials(s.creds))
	}
	return options
}
