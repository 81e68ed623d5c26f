// Command torture breaks bridges on purpose and judges what is left. See package torture, and docs/torture.md for what it
// found.
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
	flag.DurationVar(&c.For, "for", time.Minute, "how long faults are made")
	flag.BoolVar(&c.Embedded, "embedded", false, "one bridge with an embedded server, instead of bridges on a cluster")
	flag.IntVar(&c.Bridges, "bridges", 3, "how many bridges there are on the cluster")
	flag.IntVar(&c.Slots, "resources", 500, "how many resources there are at a time, about; deliveries grow with them")
	flag.BoolVar(&c.Clocks, "clocks", true, "step clocks too; programs are built anew for that")
	flag.StringVar(&c.Sabotage, "sabotage", "", "break the bridge on purpose: "+strings.Join(torture.Sabotages(), ", "))
	flag.StringVar(&c.Dir, "dir", "", "a directory for stores and logs, which is kept; stores on disks of their own are copied there when something is violated; none: a temporary one")
	faults := flag.String("faults", "", "only the faults with one of these words in their names, comma-separated")
	flag.Parse()
	if *faults != "" {
		c.Faults = strings.Split(*faults, ",")
	}
	if c.Dir == "" {
		dir, remove, err := torture.Scratch()
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
