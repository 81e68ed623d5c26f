// Command load delivers webhooks of MK.IO to a bridge for as long as it runs, and afterwards holds what was acknowledged
// against the log.
//
//	load send --url http://ADDRESS/webhooks/mkio --secret-file FILE --project NAME --told FILE
//	load check --told FILE < events of the project, as bridge events --output json prints them
//
// Each job that send makes up goes through its states in order, several jobs at a time. A delivery is repeated until it is
// answered 2xx, as MK.IO does, and some are sent once more after that. A signal ends it when every delivery it has begun is
// answered, so that the log must hold what was told and nothing else.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("say what to do: send or check")
	}
	set := flag.NewFlagSet("load "+args[0], flag.ContinueOnError)
	told := set.String("told", "", "file of what was acknowledged, one change a line")
	switch args[0] {
	case "send":
		s := sender{patience: 3 * time.Minute, pause: 100 * time.Millisecond}
		set.StringVar(&s.url, "url", "", "where to deliver")
		set.StringVar(&s.secretFile, "secret-file", "", "file with the webhook secret, read for each delivery")
		set.StringVar(&s.project, "project", "", "project of the jobs; their names begin anew in each run, so it must be another each time")
		set.IntVar(&s.workers, "workers", 8, "how many deliver at a time; every other one keeps its connection")
		set.DurationVar(&s.every, "every", 50*time.Millisecond, "pause of each worker between two deliveries")
		if err := set.Parse(args[1:]); err != nil {
			return err
		}
		return s.run(ctx, *told)
	case "check":
		if err := set.Parse(args[1:]); err != nil {
			return err
		}
		return check(*told, os.Stdin, os.Stdout)
	}
	return fmt.Errorf("there is no %q: it is send or check", args[0])
}
