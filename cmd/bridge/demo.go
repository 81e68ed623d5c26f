package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/mkio/mkiofake"
	"mkio-bridge/internal/oracle"
)

// The secrets of a demo: the simulated MK.IO and the bridge share them within this process.
const (
	demoSecret = "demo-secret"
	demoToken  = "demo-token"
)

// demoOptions are the flags of demo.
type demoOptions struct {
	jobs    int
	seed    uint64
	within  time.Duration
	console bool
	verbose bool
}

func demoCommand(c *call) *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:     "demo",
		Short:   "simulate a day of MK.IO in seconds, with an embedded NATS server",
		Example: "  mkio-bridge demo\n  mkio-bridge demo --jobs 200 --within 1m\n  mkio-bridge demo --console",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.console {
				return runConsoleDemo(cmd.Context(), c, o.forConsole(cmd.Flags()))
			}
			return runDemo(cmd.Context(), c, o)
		},
	}
	cmd.Flags().BoolVar(&o.console, "console", false, "run until interrupted, for the web console at the printed address; the day takes 20 minutes, and the next follows")
	cmd.Flags().BoolVar(&o.verbose, "verbose", false, "with --console: print each event")
	cmd.Flags().IntVar(&o.jobs, "jobs", 20, "number of jobs in the day; other resources scale with it")
	cmd.Flags().Uint64Var(&o.seed, "seed", 1, "the same seed gives the same day and the same faults")
	cmd.Flags().DurationVar(&o.within, "within", 10*time.Second, "how long the day takes")
	return cmd
}

func runDemo(ctx context.Context, c *call, o demoOptions) error {
	if o.jobs < 1 || o.jobs > 5000 || o.within < time.Second {
		return usageError{errors.New("--jobs must be 1 to 5000, and --within at least 1s")}
	}
	recorder := oracle.New(http.DefaultTransport)
	fake := newFake(o.seed, o.within, recorder)
	store, err := os.MkdirTemp("", "mkio-bridge-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(store)
	conf := demoConfig(store)
	conf.transport = fake
	b, err := open(ctx, conf, slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: conf.LogLevel})))
	if err != nil {
		return err
	}
	defer b.close()
	l, err := listen(ctx, b.config)
	if err != nil {
		return err
	}
	defer l.close()
	signal.Ignore(syscall.SIGPIPE) // when the reader of a pipe exits, the demo still removes its store
	d := demo{bridge: b, fake: fake, recorder: recorder, out: c.stdout, colour: c.colour()}
	fake.Play(mkiofake.Day(rand.New(rand.NewPCG(o.seed, 0)), demoStart, o.jobs))
	err = d.run(ctx, l)
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	return err
}

// demoConfig returns the settings of a bridge on free ports with a temporary store. Its poll intervals suit a day that takes
// seconds.
func demoConfig(store string) config {
	c := config{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", NatsListen: "127.0.0.1:0",
		MkioURL: "https://app.mk.io", StoreDir: store, StreamReplicas: 1, StreamManage: "create",
		SubjectPrefix: "mkio", Progress: true, Resource: "redacted", Correlation: "full", MaxBody: 4 << 20, IdleTimeout: idleTimeout,
		Console: true, PollRate: 20_000, PollActive: 100 * time.Millisecond, PollSweep: 500 * time.Millisecond, PollFull: 2 * time.Second,
		WebhookRule: "mkio-bridge", Kinds: pollableKinds(),
	}
	_ = c.WebhookSecrets.Decode(demoSecret) // these three cannot fail
	_ = c.MkioToken.Decode(demoToken)
	_ = c.LogLevel.Decode("error")
	return c
}

// demoStart is midnight of the day, on MK.IO's clock.
var demoStart = time.Date(2031, 3, 4, 0, 0, 0, 0, time.UTC)

// newFake returns a simulated MK.IO with faults, whose day takes the duration within.
func newFake(seed uint64, within time.Duration, recorder *oracle.Recorder) *mkiofake.MKIO {
	faults := mkiofake.Rude
	faults.Failed, faults.Dropped = 0.1, 0.1 // more than Rude, so that even a day of a few jobs loses deliveries
	faults.Slow = 0                          // a real second is hours of simulated time
	return mkiofake.New(mkiofake.Config{
		Seed: seed, Token: demoToken, Faults: faults, Start: demoStart, ReadLimit: -1, Transport: recorder,
		Speed: (24 * time.Hour).Seconds() / within.Seconds(),
	})
}

// A demo is a simulated MK.IO, a bridge, and a reader that prints the log.
type demo struct {
	bridge   *bridge
	fake     *mkiofake.MKIO
	recorder *oracle.Recorder
	out      io.Writer
	colour   colour
}

func (d demo) run(ctx context.Context, l listeners) error {
	for _, project := range []string{mkiofake.VOD, mkiofake.Live} {
		d.fake.PutRule(project, d.bridge.config.WebhookRule, mkiofake.Rule{
			URL: "http://" + l.public.Addr().String() + webhookPath, Events: mkio.Types(),
			SecretHeaders: map[string]string{"X-Webhook-Secret": demoSecret},
		})
	}
	fmt.Fprintln(d.out, "A day of MK.IO in seconds. Some deliveries are late, some are duplicated, some are lost; polling recovers what is lost.")
	fmt.Fprintf(d.out, "Read along: nats sub 'mkio.>' --server %s\n\n", d.bridge.embedded.Addr())

	whole := ctx
	ctx, stop := context.WithCancel(whole)
	defer stop()
	played, served, read := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	serving, stopServing := context.WithCancel(ctx)
	defer stopServing()
	following, unfollow := context.WithCancel(ctx)
	defer unfollow()
	go func() { played <- d.fake.Run(serving) }()
	go func() { served <- d.bridge.serve(serving, l) }()
	var printed uint64
	go func() {
		var err error
		printed, err = d.print(following, eventlog.Query{Follow: true})
		stop() // output failed: end the demo
		read <- err
	}()
	select {
	case <-d.fake.Idle():
		d.fake.SetFaults(mkiofake.Faults{}) // the day is over: retries of failed polls succeed from now on
		d.settle(ctx)
	case <-ctx.Done():
	}
	unfollow()
	stopServing()
	if err := errors.Join(<-played, <-served, <-read, whole.Err()); err != nil {
		return err
	}
	if _, err := d.print(context.Background(), eventlog.Query{From: printed + 1}); err != nil { // events after the reader ended
		return err
	}
	return d.summarize(context.Background())
}

// settleTimeout is how long a demo waits for the log to converge with MK.IO. Polls that failed repeatedly are retried after
// a backoff.
const settleTimeout = 30 * time.Second

// settle waits until every list was swept once more and the log has converged with MK.IO.
func (d demo) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	pauseFor(ctx, 2*d.bridge.config.PollFull)
	for ctx.Err() == nil && oracle.CheckConverged(ctx, d.bridge.events, d.fake) != nil {
		pauseFor(ctx, d.bridge.config.PollSweep)
	}
}

func pauseFor(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// print prints each event that matches a query, and returns the sequence of the last one.
func (d demo) print(ctx context.Context, q eventlog.Query) (last uint64, err error) {
	for e, err := range d.bridge.events.Events(ctx, q) {
		if err != nil {
			return last, err
		}
		if _, err := fmt.Fprintln(d.out, d.colour.eventLine(e)); err != nil {
			return last, err
		}
		last = e.Sequence
	}
	return last, nil
}
