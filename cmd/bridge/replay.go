package main

import (
	"context"
	"errors"
	"fmt"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/replay"
)

func runReplay(ctx context.Context, c *call) error {
	var s selection
	var live bool
	conf := replay.Config{}
	set := c.flags()
	s.addFilters(set)
	s.addRange(set)
	set.Uint64Var(&s.query.To, "to-seq", 0, "last sequence to republish, inclusive (default: the end of the log)")
	set.Float64Var(&conf.Rate, "rate", 1000, "maximum events per second; 0: no limit")
	set.BoolVar(&live, "live", false, "publish to current subscribers only, not to a stream")
	arguments, err := c.parse(set, 1)
	if err == nil {
		err = s.checkRange()
	}
	if err != nil {
		return err
	}
	if len(arguments) != 1 {
		return usageError{errors.New("subject prefix missing: name the one to publish under, e.g. replay")}
	}
	if conf.Rate < 0 {
		return usageError{fmt.Errorf("--rate %v must not be negative", conf.Rate)}
	}
	settings, err := loadConfig()
	if err != nil {
		return usageError{err}
	}
	nc, js, err := c.connect(ctx, settings, c.logger(settings))
	if err != nil {
		return err
	}
	defer nc.Close()
	progress := c.progress()
	conf.Query, conf.Prefix, conf.Step = s.query, arguments[0], progress.step
	names := event.NewNames(settings.SubjectPrefix)
	var result replay.Result
	if live {
		result, err = replay.Live(ctx, nc, js, names, conf)
	} else {
		result, err = replay.Stored(ctx, js, names, conf)
	}
	progress.clear()
	if err == nil || result.Count > 0 {
		c.printReplay(result, arguments[0])
	}
	return err
}

// printReplay prints what was published, also when the replay then failed.
func (c *call) printReplay(r replay.Result, prefix string) {
	switch {
	case r.Count > 0:
		fmt.Fprintf(c.stdout, "%d events, %d to %d, were published under %s\n", r.Count, r.From, r.Last, prefix)
	case r.Last > 0:
		fmt.Fprintf(c.stdout, "nothing to publish: %s has all events up to %d\n", prefix, r.Last)
	default:
		fmt.Fprintf(c.stdout, "nothing to publish: no event matches\n")
	}
}
