package main

import (
	"bytes"
	"cmp"
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

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/mkio/mkiofake"
)

// Defaults of the flags of demo with --console.
const (
	consoleJobs = 40
	consoleDay  = 20 * time.Minute
)

// forConsole returns the options with the defaults of --console for the flags that are not set.
func (o demoOptions) forConsole(set *pflag.FlagSet) demoOptions {
	if !set.Changed("jobs") {
		o.jobs = consoleJobs
	}
	if !set.Changed("within") {
		o.within = consoleDay
	}
	return o
}

// runConsoleDemo runs a bridge beside a simulated MK.IO until ctx ends, for a person who looks at the console.
//
// Nothing that the console shows is made up. MK.IO's clock is the real one, so that lateness, durations and coverage are those of
// the bridge. MK.IO has a past: the day began hours before the bridge, which discovers what exists. From then on the day is
// compressed: its changes happen minutes instead of hours apart, but each state lasts long enough to be seen.
func runConsoleDemo(ctx context.Context, c *call, o demoOptions) error {
	if o.jobs < 1 || o.jobs > 5000 || o.within < time.Minute {
		return usageError{errors.New("--jobs must be 1 to 5000, and --within at least 1m with --console")}
	}
	store, err := os.MkdirTemp("", "mkio-bridge-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(store)
	token := mkiofake.NewToken("", time.Now().AddDate(0, 0, 25))
	fake := mkiofake.New(mkiofake.Config{Seed: o.seed, Token: token, Faults: consoleFaults, ReadLimit: -1})
	conf := consoleDemoConfig(store, token)
	conf.transport = fake
	l, err := listen(ctx, conf)
	if err != nil {
		return err
	}
	defer l.close()
	conf.WebhookURL = "http://" + l.public.Addr().String() + webhookPath
	log := slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: conf.LogLevel}))
	b, err := open(ctx, conf, log)
	if err != nil {
		return err
	}
	defer b.close()
	signal.Ignore(syscall.SIGPIPE) // when the reader of a pipe exits, the demo still removes its store
	d := consoleDemo{bridge: b, fake: fake, options: o, rng: rand.New(rand.NewPCG(o.seed, 0)), out: c.stdout, colour: c.colour()}
	fmt.Fprintf(c.stdout, "http://%s/console/\n\nThe web console of a bridge with a simulated MK.IO: a day in %s, again and again. Ctrl+C ends it.\n", l.admin.Addr(), o.within)
	fmt.Fprintf(c.stdout, "For commands: export %s_NATS_LISTEN=%s %[1]s_ADMIN_LISTEN=%[3]s\n", prefix, b.embedded.Addr(), l.admin.Addr())
	return d.run(ctx, l)
}

// consoleDemoConfig returns the settings of the demo's bridge: those of the service, with shorter poll intervals, because the day
// is short.
func consoleDemoConfig(store, token string) config {
	c := demoConfig(store)
	c.PollRate, c.PollActive, c.PollSweep, c.PollFull = 2000, 5*time.Second, 5*time.Second, time.Minute
	_ = c.MkioToken.Decode(token) // cannot fail
	return c
}

// consoleFaults are the faults of the demo's MK.IO. Times are real.
var consoleFaults = mkiofake.Faults{
	Late: 0.03, LateBy: 30 * time.Second, Jitter: 60 * time.Millisecond, Lag: 40 * time.Millisecond,
	Repeat: 0.1, RepeatBy: 30 * time.Second, NewID: 0.3, Failed: 0.01, Dropped: 0.05,
	RateLimited: 0.002, ServerError: 0.002, Slow: 0.01, SlowBy: time.Second, NotModified: 0.05,
}

// A consoleDemo is a bridge, its simulated MK.IO, and what happens there.
type consoleDemo struct {
	bridge  *bridge
	fake    *mkiofake.MKIO
	options demoOptions
	rng     *rand.Rand
	out     io.Writer
	colour  colour
}

// run runs all parts until the context ends, which is how a demo ends, or until one of them fails.
func (d consoleDemo) run(ctx context.Context, l listeners) error {
	rest := d.fake.PlayPast(d.past(time.Now()))
	d.forbid(true) // before the first sweep, so that there is a gap from the start
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.bridge.serve(ctx, l) })
	group.Go(func() error { return d.fake.Run(ctx) })
	group.Go(func() error { d.playDays(ctx, rest); return nil })
	group.Go(func() error { d.playScenes(ctx); return nil })
	group.Go(func() error { d.removeOld(ctx); return nil })
	if d.options.verbose {
		group.Go(func() error { return d.print(ctx) })
	}
	return group.Wait()
}

// print prints each event until the context ends.
func (d consoleDemo) print(ctx context.Context) error {
	for e, err := range d.bridge.events.Events(ctx, eventlog.Query{Follow: true}) {
		if err == nil {
			_, err = fmt.Fprintln(d.out, d.colour.eventLine(e))
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// deliver posts a delivery to the bridge, as MK.IO would.
func (d consoleDemo) deliver(ctx context.Context, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.bridge.config.WebhookURL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Webhook-Secret", demoSecret)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return cmp.Or(response.Body.Close(), ctx.Err())
}
