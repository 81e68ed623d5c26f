package main

import "context"

func runState(ctx context.Context, c *call) error {
	var s selection
	set := c.flags()
	s.add(set)
	if _, err := c.parse(set, 0); err != nil {
		return err
	}
	log, done, err := c.openLog(ctx)
	if err != nil {
		return err
	}
	defer done()
	if s.output == "json" {
		return c.printer().json(log.RawState(ctx, s.query))
	}
	c.header("%-58s  %-24s  %-12s  %-23s  %6s", "RESOURCE", "STATE", "PHASE", "SINCE", "EVENT")
	return c.printer().text(log.State(ctx, s.query), stateLine)
}
