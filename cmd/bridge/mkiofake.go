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
	addr := set.String("listen", "127.0.0.1:8081", "address of the simulated API")
	seed := set.Uint64("seed", 1, "the same seed gives the same days")
	polite := set.Bool("polite", false, "no faults, but for those that are switched on")
	speed := set.Float64("speed", 1, "seconds of its clock in one of ours")
	jobs := set.Int("jobs", 20, "how many jobs a day has; the rest grows with them")
	token := set.String("token", "", "the bearer token that the API takes; none takes any")
	mishaps := mishapFlags(set)
	if _, err := c.parse(set, 0); err != nil {
		return err
	}
	if *jobs < 1 || *jobs > 5000 || *speed <= 0 || *speed > 100_000 {
		return usageError{errors.New("--jobs must be 1 to 5000, and --speed more than 0 and at most 100000")}
	}
	if err := mishaps.check(); err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *addr)
	if err != nil {
		return fmt.Errorf("--listen: %w: choose another address, port 0 for any that is free", err)
	}
	conf := mkiofake.Config{Seed: *seed, Token: *token, Speed: *speed}
	if !*polite {
		conf.Faults = mkiofake.Rude
	}
	mishaps.addTo(&conf.Faults)
	f := fakeMkio{mkiofake.New(conf), c.logger(config{})}
	play := []days{{rng: rand.New(rand.NewPCG(*seed, 0)), jobs: *jobs, speed: *speed, of: f.MKIO}}
	if mishaps.secondOrganization {
		conf.Organization, conf.Token = secondOrganization, ""
		second := mkiofake.New(conf)
		f.Beside(second)
		play = append(play, days{rng: rand.New(rand.NewPCG(*seed, 1)), jobs: *jobs, speed: *speed, of: second})
		fmt.Fprintf(c.stdout, "token of the second organisation: %s\n", mkiofake.NewToken(secondOrganization, time.Time{}))
	}
	return f.serve(ctx, l, play, func(ctx context.Context) { mishaps.befall(ctx, f.MKIO, *speed) })
}

// secondOrganization is the name of the other one at the simulation's address.
const secondOrganization = "second"

// A fakeMkio is a simulated MK.IO as a service.
type fakeMkio struct {
	*mkiofake.MKIO
	log *slog.Logger
}

// serve runs the API, the days of each organisation, and what befalls them.
func (f fakeMkio) serve(ctx context.Context, l net.Listener, all []days, befall func(context.Context)) error {
	server := &http.Server{
		Handler: f, ReadHeaderTimeout: edge.HeaderTime, IdleTimeout: idleTime,
		ErrorLog: slog.NewLogLogger(f.log.Handler(), slog.LevelDebug),
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return edge.Serve(server, l) })
	for _, d := range all {
		group.Go(func() error { return d.of.Run(ctx) })
		group.Go(func() error { d.play(ctx); return nil })
	}
	group.Go(func() error { befall(ctx); return nil })
	group.Go(func() error {
		<-ctx.Done()
		return edge.Shutdown(server, shutdownTime)
	})
	f.log.Info("listening", "for", "mkio-fake", "addr", l.Addr().String())
	return group.Wait()
}

// days are scripts of one organisation, one after another.
type days struct {
	rng   *rand.Rand
	jobs  int
	speed float64
	of    *mkiofake.MKIO
}

// play plays a day, and the next when it is over, until the context ends.
func (d days) play(ctx context.Context) {
	const day = 24 * time.Hour
	next := time.NewTicker(time.Duration(float64(day) / d.speed))
	defer next.Stop()
	for start := d.of.Now(); ctx.Err() == nil; start = start.Add(day) {
		d.of.Play(mkiofake.Day(d.rng, start, d.jobs))
		select {
		case <-next.C:
		case <-ctx.Done():
		}
	}
}
