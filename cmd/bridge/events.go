package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

func runEvents(ctx context.Context, c *call) error {
	var s selection
	set := c.flags()
	s.add(set)
	set.Func("since", "from this time on: how long ago, or RFC 3339", moment(&s.query.Since))
	set.Func("until", "up to this time", moment(&s.query.Until))
	set.Uint64Var(&s.query.From, "seq", 0, "from this sequence on")
	set.BoolVar(&s.query.Follow, "follow", false, "go on with what comes")
	if _, err := c.parse(set, 0); err != nil {
		return err
	}
	if s.query.From > 0 && !s.query.Since.IsZero() {
		return usageError{errors.New("--seq and --since exclude each other")}
	}
	if err := s.check(); err != nil {
		return err
	}
	log, done, err := c.openLog(ctx)
	if err != nil {
		return err
	}
	defer done()
	return s.printAll(c.stdout, log.Events(ctx, s.query))
}

// moment reads a point in time: how long ago, or RFC 3339.
func moment(into *time.Time) func(string) error {
	return func(v string) error {
		if d, err := time.ParseDuration(v); err == nil {
			*into = time.Now().Add(-d)
			return nil
		}
		t, err := time.Parse(time.RFC3339Nano, v)
		if err != nil {
			return fmt.Errorf("%q is neither a duration such as 2h nor a time such as 2031-03-04T10:00:00Z", v)
		}
		*into = t
		return nil
	}
}
