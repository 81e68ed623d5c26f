package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/invariant"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/mkio/mkiotell"
)

// demoSecret is the webhook secret of a demo; both ends of it are in this process.
const demoSecret = "demo"

func runDemo(ctx context.Context, c *call) error {
	set := c.flags()
	jobs := set.Int("jobs", 20, "how many jobs the day has; the rest grows with them")
	seed := set.Uint64("seed", 1, "the same seed gives the same day and the same faults")
	within := set.Duration("within", 6*time.Second, "how long the day takes")
	if _, err := c.parse(set, 0); err != nil {
		return err
	}
	if *jobs < 1 || *jobs > 5000 || *within < time.Second {
		return usageError{errors.New("--jobs must be 1 to 5000, and --within a second or more")}
	}
	store, err := os.MkdirTemp("", "mkio-bridge-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(store)
	b, err := open(ctx, demoConfig(store), slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	if err != nil {
		return err
	}
	defer b.close()
	l, err := listen(ctx, b.config)
	if err != nil {
		return err
	}
	defer l.close()
	signal.Ignore(syscall.SIGPIPE) // a reader that has seen enough ends the demo, not the clearing up after it
	d := demo{bridge: b, out: c.stdout, jobs: *jobs, seed: *seed, within: *within}
	err = d.run(ctx, l)
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	return err
}

// demoConfig is a bridge on free ports and a store that goes when the demo ends.
func demoConfig(store string) config {
	c := config{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", NatsListen: "127.0.0.1:0",
		MkioURL: "https://app.mk.io", StoreDir: store, StreamReplicas: 1, StreamManage: "create",
		SubjectPrefix: "mkio", Resource: "redacted", MaxBody: 4 << 20,
	}
	_ = c.WebhookSecrets.Decode(demoSecret) // it cannot fail
	return c
}

// A demo is a simulated MK.IO that tells a day to a bridge, and somebody who reads along.
type demo struct {
	bridge *bridge
	out    io.Writer
	jobs   int
	seed   uint64
	within time.Duration
}

// overtime is how much longer than the day the latest deliveries may take.
const overtime = 6 * time.Hour

func (d demo) run(ctx context.Context, l listeners) error {
	start := time.Date(2031, 3, 4, 0, 0, 0, 0, time.UTC)
	changes := mkiotell.Day(rand.New(rand.NewPCG(d.seed, 0)), start, d.jobs)
	fmt.Fprintf(d.out, "A day of MK.IO in about %s: %d changes of state are told by webhook, some late, some twice, not in order.\n", d.within, len(changes))
	fmt.Fprintf(d.out, "Read along: nats sub 'mkio.>' --server %s\n\n", d.bridge.embedded.Addr())

	whole := ctx
	ctx, stop := context.WithCancel(whole)
	defer stop()
	served, read := make(chan error, 1), make(chan error, 1)
	serving, stopServing := context.WithCancel(ctx)
	defer stopServing()
	go func() { served <- d.bridge.serve(serving, l) }()
	following, unfollow := context.WithCancel(ctx)
	defer unfollow()
	var printed uint64
	go func() {
		var err error
		printed, err = d.print(following, eventlog.Query{Follow: true})
		stop() // nobody reads along: no need to go on
		read <- err
	}()
	sender := mkiotell.Sender{
		Post: poster("http://" + l.public.Addr().String() + webhookPath), Faults: mkiotell.Rude, Seed: d.seed,
		Start: start, Speed: (24*time.Hour + overtime).Seconds() / d.within.Seconds(),
	}
	began := time.Now()
	sent := sender.Send(ctx, changes)
	took := time.Since(began)
	unfollow()
	stopServing()
	if err := errors.Join(<-served, <-read, whole.Err()); err != nil {
		return err
	}
	if _, err := d.print(context.Background(), eventlog.Query{From: printed + 1}); err != nil { // what came last
		return err
	}
	return d.summarize(context.Background(), sent, took)
}

// poster returns a function that makes a delivery over HTTP.
func poster(target string) func(context.Context, []byte) (int, error) {
	return func(ctx context.Context, body []byte) (int, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-Webhook-Secret", demoSecret)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return 0, err
		}
		return response.StatusCode, response.Body.Close()
	}
}

// print prints each event that a query chooses, and returns the sequence of the last.
func (d demo) print(ctx context.Context, q eventlog.Query) (last uint64, err error) {
	for e, err := range d.bridge.events.Events(ctx, q) {
		if err != nil {
			return last, err
		}
		if _, err := fmt.Fprintln(d.out, eventLine(e)); err != nil {
			return last, err
		}
		last = e.Sequence
	}
	return last, nil
}

// summarize tells what was sent and what became of it, and judges the log.
func (d demo) summarize(ctx context.Context, sent []mkiotell.Sent, took time.Duration) error {
	var told []invariant.Told
	var requests, repeated, recorded, aside int
	for _, s := range sent {
		o, err := mkio.Decoder{}.Decode(s.Body, time.Now())
		if err != nil {
			return err
		}
		told = append(told, invariant.Told{Observation: o, Body: s.Body, Status: s.Status})
		requests += s.Attempts
		if s.Repeated {
			repeated++
		}
		switch s.Status {
		case http.StatusNoContent:
			recorded++
		case http.StatusAccepted:
			aside++
		}
	}
	kinds, events, err := d.count(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\nThe webhook brought %d deliveries in %d requests, %d of them repeats of an earlier one, in %.1fs.\n", len(sent), requests, repeated, took.Seconds())
	fmt.Fprintf(d.out, "  answered 204  %5d  in the log, or told by it already\n", recorded)
	fmt.Fprintf(d.out, "  answered 202  %5d  came after a later state and are kept in %s\n", aside, d.bridge.names.UnappliedStream())
	fmt.Fprintf(d.out, "The log has %d events:\n", events)
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(d.out, "  %-24s%5d\n", k, kinds[k])
	}
	if err := invariant.Check(ctx, d.bridge.js, d.bridge.names, told); err != nil {
		return fmt.Errorf("the log breaks its promise: %w", err)
	}
	_, err = fmt.Fprintln(d.out, "Checked: every chain is whole (I1), nothing acknowledged is lost (I2), nothing is made up (I4), nothing went back (I5).")
	return err
}

// count returns how many events of each kind the log has.
func (d demo) count(ctx context.Context) (kinds map[string]int, events int, err error) {
	kinds = map[string]int{}
	for e, err := range d.bridge.events.Events(ctx, eventlog.Query{}) {
		if err != nil {
			return nil, 0, err
		}
		kinds[string(e.Event.Data.Kind)]++
		events++
	}
	return kinds, events, nil
}
