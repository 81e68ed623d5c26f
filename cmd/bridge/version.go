package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
)

// stamped is the version that the build was given; see version.
var stamped string

// version is the build's version, or what the Go toolchain knows of it.
func version() string {
	if stamped != "" {
		return stamped
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
