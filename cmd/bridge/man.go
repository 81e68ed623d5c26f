package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manCommand is hidden: packages are built with it.
func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "man DIRECTORY",
		Short:   "write the man pages",
		Example: "  mkio-bridge man /usr/local/share/man/man1",
		Hidden:  true,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil { //nolint:gosec // man pages are public
				return fmt.Errorf("man pages cannot be written: %w", err)
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true // the same version gives the same pages
			return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: programName + " " + version(), Manual: "User Commands"}, args[0])
		},
	}
}
