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

	"golang.org/x/sync/errgroup"

	"mkio-bridge/internal/edge"
	"mkio-bridge/internal/mkio/mkiofake"
)

func runMkioFake(ctx context.Context, c *call) error {
	set := c.flags()
	addr := set.String("listen", "127.0.0.1:8081", "listen address of the simulated API")
	seed := set.Uint64("seed", 1, "the same seed gives the same days")
	polite := set.Bool("polite", false, "no faults except those that other flags switch on")
	speed := set.Float64("speed", 1, "simulated seconds per real second")
	jobs := set.Int("jobs", 20, "number of jobs per day; other resources scale with it")
	token := set.String("token", "", "the bearer token that the API accepts (default: any token)")
	faults := faultFlags(set)
	if _, err := c.parse(set, 0); err != nil {
		return err
	}
	if *jobs < 1 || *jobs > 5000 || *speed <= 0 || *speed > 100_000 {
		return usageError{errors.New("--jobs must be 1 to 5000, and --speed more than 0 and at most 100000")}
	}
	if err := faults.check(); err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *addr)
	if err != nil {
		return listenFakeError(ctx, *addr, err)
	}
	conf := mkiofake.Config{Seed: *seed, Token: *token, Speed: *speed}
	if !*polite {
		conf.Faults = mkiofake.Rude
	}
	faults.addLasting(&conf.Faults)
	f := fakeMkio{mkiofake.New(conf), c.logger(config{})}
	play := []days{{rng: rand.New(rand.NewPCG(*seed, 0)), jobs: *jobs, speed: *speed, fake: f.MKIO}}
	if faults.secondOrganization {
		conf.Organization, conf.Token = secondOrganization, ""
		second := mkiofake.New(conf)
		f.AddOrganization(second)
		play = append(play, days{rng: rand.New(rand.NewPCG(*seed, 1)), jobs: *jobs, speed: *speed, fake: second})
		fmt.Fprintf(c.stdout, "token of the second organisation: %s\n", mkiofake.NewToken(secondOrganization, time.Time{}))
	}
	return f.serve(ctx, l, play, func(ctx context.Context) { faults.inject(ctx, f.MKIO, *speed) })
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
