package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
)

// dispatch runs the subcommand that the next argument names.
func (c *call) dispatch(ctx context.Context, subs []command) error {
	var names []string
	for _, sub := range subs {
		names = append(names, sub.name)
	}
	if len(c.args) == 0 || strings.HasPrefix(c.args[0], "-") {
		if _, err := c.parse(c.flags(), 0); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				for _, sub := range subs {
					first, _, _ := strings.Cut(sub.summary, "\n")
					fmt.Fprintf(c.stdout, "  %-10s %s\n", sub.name, first)
				}
			}
			return err
		}
		return usageError{fmt.Errorf("subcommand missing: %s", strings.Join(names, ", "))}
	}
	i := slices.Index(names, c.args[0])
	if i < 0 {
		return usageError{fmt.Errorf("unknown subcommand %q: use %s", c.args[0], strings.Join(names, ", "))}
	}
	sub := subs[i]
	sub.name = c.command.name + " " + sub.name
	return sub.run(ctx, &call{sub, c.args[1:], c.stdout, c.stderr})
}
