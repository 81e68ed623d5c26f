package main

import "context"

func runEvents(ctx context.Context, c *call) error {
	var s selection
	set := c.flags()
	s.add(set)
	s.addRange(set)
	set.BoolVar(&s.query.Follow, "follow", false, "wait for new events at the end of the log")
	_, err := c.parse(set, 0)
	if err == nil {
		err = s.checkRange()
	}
	if err != nil {
		return err
	}
	log, done, err := c.openLog(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err := s.checkPosition(ctx, log); err != nil {
		return err
	}
	if s.output == "json" {
		return c.printer().json(log.Raw(ctx, s.query))
	}
	return c.printer().text(log.Events(ctx, s.query), eventLine)
}
