package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
)

// buildVersion is set by the linker (-X); see version.
var buildVersion string

// version returns the build's version, or the module version that the Go toolchain recorded.
func version() string {
	if buildVersion != "" {
		return buildVersion
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}

func runVersion(_ context.Context, c *call) error {
	if _, err := c.parse(c.flags(), 0); err != nil {
		return err
	}
	words := []string{"bridge", version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		words = append(words, info.GoVersion)
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" || s.Key == "vcs.time" {
				words = append(words, s.Value)
			}
		}
	}
	_, err := fmt.Fprintln(c.stdout, strings.Join(words, " "))
	return err
}
