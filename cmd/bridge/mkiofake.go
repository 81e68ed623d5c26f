package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"mkio-bridge/internal/edge"
	"mkio-bridge/internal/mkio/mkiofake"
)

// mkioFakeOptions are the flags of mkio-fake.
type mkioFakeOptions struct {
	addr, token string
	seed        uint64
	polite      bool
	speed       float64
	jobs        int
	faults      faultOptions
}

func mkioFakeCommand(c *call) *cobra.Command {
	var o mkioFakeOptions
	cmd := &cobra.Command{
		Use:   "mkio-fake",
		Short: "run a simulated MK.IO: API and webhooks, with faults",
		Example: `  mkio-bridge mkio-fake --speed 60
  BRIDGE_MKIO_URL=http://127.0.0.1:8081 BRIDGE_MKIO_TOKEN=any mkio-bridge run`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runMkioFake(cmd.Context(), c, o) },
	}
	set := cmd.Flags()
	set.StringVar(&o.addr, "listen", "127.0.0.1:8081", "listen `ADDRESS` of the simulated API")
	set.Uint64Var(&o.seed, "seed", 1, "the same seed gives the same days")
	set.BoolVar(&o.polite, "polite", false, "no faults except those that other flags switch on")
	set.Float64Var(&o.speed, "speed", 1, "simulated seconds per real second")
	set.IntVar(&o.jobs, "jobs", 20, "number of jobs per day; other resources scale with it")
	set.StringVar(&o.token, "token", "", "the bearer `TOKEN` that the API accepts (default: any token)")
	o.faults.add(cmd)
	return cmd
}

func runMkioFake(ctx context.Context, c *call, o mkioFakeOptions) error {
	if o.jobs < 1 || o.jobs > 5000 || o.speed <= 0 || o.speed > 100_000 {
		return usageError{errors.New("--jobs must be 1 to 5000, and --speed more than 0 and at most 100000")}
	}
	if err := o.faults.check(); err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.addr)
	if err != nil {
		return listenFakeError(ctx, o.addr, err)
	}
	conf := mkiofake.Config{Seed: o.seed, Token: o.token, Speed: o.speed}
	if !o.polite {
		conf.Faults = mkiofake.Rude
	}
	o.faults.addLasting(&conf.Faults)
	f := fakeMkio{mkiofake.New(conf), c.logger(config{})}
	play := []days{{rng: rand.New(rand.NewPCG(o.seed, 0)), jobs: o.jobs, speed: o.speed, fake: f.MKIO}}
	if o.faults.secondOrganization {
		conf.Organization, conf.Token = secondOrganization, ""
		second := mkiofake.New(conf)
		f.AddOrganization(second)
		play = append(play, days{rng: rand.New(rand.NewPCG(o.seed, 1)), jobs: o.jobs, speed: o.speed, fake: second})
		fmt.Fprintf(c.stdout, "token of the second organisation: %s\n", mkiofake.NewToken(secondOrganization, time.Time{}))
	}
	return f.serve(ctx, l, play, func(ctx context.Context) { o.faults.inject(ctx, f.MKIO, o.speed) })
}

// listenFakeError adds to the error of listening what to do: for an address in use, the command to type.
func listenFakeError(ctx context.Context, addr string, err error) error {
	err = fmt.Errorf("--listen: %w: choose another address, or port 0 for any free port", err)
	if !addressInUse(err) {
		return err
	}
	return fmt.Errorf("%w. To start beside the process that uses it, type:\n  %s mkio-fake --listen %s", err, invocation(), freeAddress(ctx, addr, nil))
}

// secondOrganization is the name of the organisation that --second-organization adds at the same address.
const secondOrganization = "second"

// A fakeMkio is a simulated MK.IO as a service.
type fakeMkio struct {
	*mkiofake.MKIO
	log *slog.Logger
}

// serve runs the API, the days of each organisation, and inject, which causes the faults that happen once.
func (f fakeMkio) serve(ctx context.Context, l net.Listener, all []days, inject func(context.Context)) error {
	server := &http.Server{
		Handler: f, ReadHeaderTimeout: edge.HeaderTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(f.log.Handler(), slog.LevelDebug),
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return edge.Serve(server, l) })
	for _, d := range all {
		group.Go(func() error { return d.fake.Run(ctx) })
		group.Go(func() error { d.play(ctx); return nil })
	}
	group.Go(func() error { inject(ctx); return nil })
	group.Go(func() error {
		<-ctx.Done()
		return edge.Shutdown(server, shutdownTimeout)
	})
	f.log.Info("listening", "for", "mkio-fake", "addr", l.Addr().String())
	return group.Wait()
}

// days plays one scripted day after another on the simulation of one organisation.
type days struct {
	rng   *rand.Rand
	jobs  int
	speed float64
	fake  *mkiofake.MKIO
}

// play plays days until the context ends.
func (d days) play(ctx context.Context) {
	const day = 24 * time.Hour
	next := time.NewTicker(time.Duration(float64(day) / d.speed))
	defer next.Stop()
	for start := d.fake.Now(); ctx.Err() == nil; start = start.Add(day) {
		d.fake.Play(mkiofake.Day(d.rng, start, d.jobs))
		select {
		case <-next.C:
		case <-ctx.Done():
		}
	}
}
