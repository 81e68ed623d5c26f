package main

import "context"

func runState(ctx context.Context, c *call) error {
	var s selection
	set := c.flags()
	s.add(set)
	if _, err := c.parse(set, 0); err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return err
	}
	log, done, err := c.openLog(ctx)
	if err != nil {
		return err
	}
	defer done()
	return s.printAll(c.stdout, log.State(ctx, s.query))
}
