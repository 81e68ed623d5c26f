package main

import (
	"fmt"
	"strings"
)

// commandTable returns a line for each command. The format has the verbs for its usage and summary.
func commandTable(format string) string {
	var b strings.Builder
	for _, group := range commandGroups() {
		for _, newCommand := range group.commands {
			cmd := newCommand(&call{})
			usage := cmd.Use
			if names := subcommandNames(cmd); len(names) > 0 {
				usage += " " + strings.Join(names, "|")
			}
			fmt.Fprintf(&b, format, usage, cmd.Short)
		}
	}
	return b.String()
}
