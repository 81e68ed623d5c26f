// Publish-when-finished publishes the outputs of each job that finishes: it creates a streaming locator for the output asset,
// makes sure that a streaming endpoint runs, and prints the addresses.
//
// It is an example to copy: a durable consumer of the bridge's log that makes the next call of MK.IO's API when the state of a
// resource makes it valid. Every step looks first and acts only if something is missing, and names are derived from the job.
// So an event that is processed twice, or by two copies at once, gives one locator; and after a kill at any line the event is
// delivered again and the steps that are done are skipped (publish.go). An event is acknowledged when its addresses are
// printed: after a kill in between they are printed again.
//
// What it waits for it learns from the bridge (until.go). It does not poll MK.IO.
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
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// logStream is the bridge's log.
const logStream = "MKIO_EVENTS"

// settings are the flags, and MK.IO's token.
type settings struct {
	server, creds    string
	durable, subject string
	mkio, token      string
	endpoint, policy string
	since, giveUp    time.Duration
	ackWait, wait    time.Duration
	dryRun           bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "publish-when-finished:", err)
		os.Exit(1)
	}
}

func parse(args []string, stderr io.Writer) (s settings, err error) {
	set := flag.NewFlagSet("publish-when-finished", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.StringVar(&s.server, "nats", "nats://127.0.0.1:4222", "NATS servers, comma-separated")
	set.StringVar(&s.creds, "creds", "", "NATS credentials file")
	set.StringVar(&s.durable, "durable", "publish-when-finished", "name of the durable consumer, which stores what was published")
	set.StringVar(&s.subject, "subject", "mkio.job.*.*.*.finished", "publish the jobs of events on this `subject`: mkio.job.<project>.<transform>.<job>.finished")
	set.StringVar(&s.mkio, "mkio", "https://app.mk.io", "`URL` of MK.IO")
	set.StringVar(&s.endpoint, "endpoint", "default", "`name` of the streaming endpoint, in the project of the job")
	set.StringVar(&s.policy, "policy", "Predefined_ClearStreamingOnly", "`name` of the streaming policy of new locators")
	set.DurationVar(&s.since, "since", 0, "when the consumer is created: also publish jobs that finished in this time before")
	set.DurationVar(&s.giveUp, "give-up", 24*time.Hour, "stop trying to publish a job this long after it finished")
	set.DurationVar(&s.ackWait, "ack-wait", 30*time.Second, "NATS delivers an event again this long after its consumer died")
	set.DurationVar(&s.wait, "wait", 3*time.Minute, "how long to wait for a state before everything is looked at again")
	set.BoolVar(&s.dryRun, "dry-run", false, "print what would be done; change nothing, and acknowledge nothing")
	set.Usage = func() {
		fmt.Fprintln(stderr, "Usage: MKIO_TOKEN=… publish-when-finished [flags]    (or MKIO_TOKEN_FILE: a file with the token)")
		set.PrintDefaults()
	}
	if err := set.Parse(args); err != nil {
		return s, err
	}
	if set.NArg() > 0 {
		return s, fmt.Errorf("%q is not a flag: see publish-when-finished -h", set.Arg(0))
	}
	if s.ackWait <= 0 || s.wait <= 0 || s.giveUp <= 0 || s.since < 0 {
		return s, errors.New("-ack-wait, -wait and -give-up must be above zero, and -since not below")
	}
	s.token = os.Getenv("MKIO_TOKEN")
	if file := os.Getenv("MKIO_TOKEN_FILE"); file != "" {
		content, err := os.ReadFile(file) //nolint:gosec // the operator chooses the file
		if err != nil {
			return s, fmt.Errorf("MKIO_TOKEN_FILE: %w", err)
		}
		s.token = strings.TrimSpace(string(content))
	}
	if s.token == "" {
		return s, errors.New("set MKIO_TOKEN or MKIO_TOKEN_FILE to an API token of MK.IO")
	}
	return s, nil
}

// run publishes until the context ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	options := []nats.Option{nats.Name("publish-when-finished"), nats.MaxReconnects(-1)}
	if s.creds != "" {
		options = append(options, nats.UserCredentials(s.creds))
	}
	nc, err := nats.Connect(s.server, options...)
	if err != nil {
		return fmt.Errorf("NATS at %s cannot be reached: %w (-nats sets its address, -creds the credentials)", s.server, err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	consumer, err := consumerOf(ctx, js, s)
	if err != nil {
		return fmt.Errorf("consumer %s of stream %s (has a bridge run on this NATS?): %w", s.durable, logStream, err)
	}
	events, err := js.Stream(ctx, logStream)
	if err != nil {
		return fmt.Errorf("stream %s: %w", logStream, err)
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	log.Info("publish-when-finished started", "subject", s.subject, "endpoint", s.endpoint, "dry_run", s.dryRun)
	p := publisher{settings: s, events: events, mkio: newClient(s.mkio, s.token), out: stdout, log: log}
	return p.consume(ctx, consumer)
}

// consumerOf creates the durable consumer, or updates an existing one with the current settings. A dry run has a consumer of
// its own, which ends with it, so that the real one misses nothing.
func consumerOf(ctx context.Context, js jetstream.JetStream, s settings) (jetstream.Consumer, error) {
	config := jetstream.ConsumerConfig{
		Durable:        s.durable,
		FilterSubjects: []string{s.subject},
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        s.ackWait,
		MaxDeliver:     -1, // this program gives up, after -give-up
		DeliverPolicy:  jetstream.DeliverNewPolicy,
	}
	if s.since > 0 {
		start := time.Now().Add(-s.since)
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &start
	}
	if s.dryRun {
		config.Durable, config.AckPolicy = "", jetstream.AckNonePolicy
		return js.CreateConsumer(ctx, logStream, config)
	}
	if existing, err := js.Consumer(ctx, logStream, s.durable); err == nil {
		was := existing.CachedInfo().Config
		config.DeliverPolicy, config.OptStartTime = was.DeliverPolicy, was.OptStartTime // cannot be changed
	} else if !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil, err
	}
	return js.CreateOrUpdateConsumer(ctx, logStream, config)
}
