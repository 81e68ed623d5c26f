// Command load posts MK.IO deliveries to a bridge until it is stopped, and afterwards compares the acknowledged changes with
// the log.
//
//	load send --url http://ADDRESS/webhooks/mkio --secret-file FILE --project NAME --acknowledged FILE
//	load check --acknowledged FILE < output of mkio-bridge events --output json
//
// send simulates several jobs at a time; each goes through its states in order. It retries a delivery until the response is
// 2xx, as MK.IO does, and repeats some after that. After SIGINT or SIGTERM it exits once every started delivery is
// acknowledged, so that the log must have exactly the acknowledged changes.
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
		return errors.New("missing command: send or check")
	}
	set := flag.NewFlagSet("load "+args[0], flag.ContinueOnError)
	acknowledged := set.String("acknowledged", "", "file of acknowledged changes, one per line")
	switch args[0] {
	case "send":
		s := sender{patience: 3 * time.Minute, pause: 100 * time.Millisecond}
		set.StringVar(&s.url, "url", "", "webhook URL of the bridge")
		set.StringVar(&s.secretFile, "secret-file", "", "file with the webhook secret, read for each delivery")
		set.StringVar(&s.project, "project", "", "project of the jobs; job names repeat in each run, so use a new project each time")
		set.IntVar(&s.workers, "workers", 8, "number of concurrent workers; every other one uses keep-alive")
		set.DurationVar(&s.every, "every", 50*time.Millisecond, "pause between two deliveries of a worker")
		if err := set.Parse(args[1:]); err != nil {
			return err
		}
		return s.run(ctx, *acknowledged)
	case "check":
		if err := set.Parse(args[1:]); err != nil {
			return err
		}
		return check(*acknowledged, os.Stdin, os.Stdout)
	}
	return fmt.Errorf("unknown command %q: want send or check", args[0])
}
