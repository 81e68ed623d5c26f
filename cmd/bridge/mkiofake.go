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

	"mkio-bridge/internal/mkio/mkiofake"
)

func runMkioFake(ctx context.Context, c *call) error {
	set := c.flags()
	addr := set.String("listen", "127.0.0.1:8081", "address of the simulated API")
	seed := set.Uint64("seed", 1, "the same seed gives the same days")
	polite := set.Bool("polite", false, "no faults")
	speed := set.Float64("speed", 1, "seconds of its clock in one of ours")
	jobs := set.Int("jobs", 20, "how many jobs a day has; the rest grows with them")
	token := set.String("token", "", "the bearer token that the API takes; none takes any")
	if _, err := c.parse(set, 0); err != nil {
		return err
	}
	if *jobs < 1 || *jobs > 5000 || *speed <= 0 || *speed > 100_000 {
		return usageError{errors.New("--jobs must be 1 to 5000, and --speed more than 0 and at most 100000")}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *addr)
	if err != nil {
		return fmt.Errorf("--listen: %w: choose another address, port 0 for any that is free", err)
	}
	conf := mkiofake.Config{Seed: *seed, Token: *token, Speed: *speed}
	if !*polite {
		conf.Faults = mkiofake.Rude
	}
	f := fakeMkio{mkiofake.New(conf), c.logger(config{})}
	return f.serve(ctx, l, days{rng: rand.New(rand.NewPCG(*seed, 0)), jobs: *jobs, speed: *speed})
}

// A fakeMkio is a simulated MK.IO as a service.
type fakeMkio struct {
	*mkiofake.MKIO
	log *slog.Logger
}

func (f fakeMkio) serve(ctx context.Context, l net.Listener, d days) error {
	server := &http.Server{
		Handler: f, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime,
		ErrorLog: slog.NewLogLogger(f.log.Handler(), slog.LevelDebug),
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return serveHTTP(server, l) })
	group.Go(func() error { return f.Run(ctx) })
	group.Go(func() error { d.play(ctx, f.MKIO); return nil })
	group.Go(func() error {
		<-ctx.Done()
		return shutdown(server, shutdownTime)
	})
	f.log.Info("listening", "for", "mkio-fake", "addr", l.Addr().String())
	return group.Wait()
}

// days are scripts, one after another.
type days struct {
	rng   *rand.Rand
	jobs  int
	speed float64
}

// play plays a day, and the next when it is over, until the context ends.
func (d days) play(ctx context.Context, m *mkiofake.MKIO) {
	for start := m.Now(); ctx.Err() == nil; start = start.Add(24 * time.Hour) {
		m.Play(mkiofake.Day(d.rng, start, d.jobs))
		left := start.Add(24 * time.Hour).Sub(m.Now())
		select {
		case <-time.After(time.Duration(float64(left) / d.speed)):
		case <-ctx.Done():
		}
	}
}
