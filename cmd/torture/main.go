// Command torture injects faults into running bridges and checks the log. See package torture, and docs/torture.md for its
// findings.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/torture"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx)
	stop()
	os.Exit(code)
}

func run(ctx context.Context) int {
	c := torture.Config{Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	flag.Uint64Var(&c.Seed, "seed", 1, "the same seed gives the same faults in the same order")
	flag.DurationVar(&c.For, "for", time.Minute, "how long faults are injected")
	flag.BoolVar(&c.Embedded, "embedded", false, "one bridge with an embedded server, instead of bridges on a cluster")
	flag.IntVar(&c.Bridges, "bridges", 3, "number of bridges on the cluster")
	flag.IntVar(&c.Resources, "resources", 500, "approximate number of resources at a time; deliveries grow with it")
	flag.BoolVar(&c.Clocks, "clocks", true, "step clocks too, which requires rebuilding the programs")
	flag.StringVar(&c.Sabotage, "sabotage", "", "put a bug into the bridge: "+strings.Join(torture.Sabotages(), ", "))
	flag.StringVar(&c.Dir, "dir", "", "directory for stores and logs, not removed; after a violation, stores on their own disks are copied to it; default: a temporary one")
	faults := flag.String("faults", "", "inject only faults whose names contain one of these words, comma-separated")
	flag.Parse()
	if *faults != "" {
		c.Faults = strings.Split(*faults, ",")
	}
	if c.Dir == "" {
		dir, remove, err := torture.TempDir()
		if err != nil {
			fmt.Fprintln(os.Stderr, "torture:", err)
			return 1
		}
		defer remove()
		c.Dir = dir
	}
	defer bridgetest.RemoveBuilds()
	report, err := torture.Run(ctx, c)
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		return 1
	}
	fmt.Print(report)
	if len(report.Violations) > 0 {
		return 1
	}
	return 0
}
