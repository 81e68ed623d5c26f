package main

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
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

func versionCommand(c *call) *cobra.Command {
	var output format
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "print the build",
		Example: "  mkio-bridge version --output json",
		Args:    noArguments,
		RunE:    func(*cobra.Command, []string) error { return c.printVersion(output) },
	}
	outputFlag(cmd, &output, "the build", "")
	return cmd
}

// A build is what the program was built from, as it is printed. A field may be unknown.
type build struct {
	Version  string `json:"version"`
	Go       string `json:"go,omitempty"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"` // of the revision, RFC 3339
}

func (c *call) printVersion(output format) error {
	b := build{Version: version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.Go = info.GoVersion
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Revision = s.Value
			case "vcs.time":
				b.Time = s.Value
			}
		}
	}
	if output.isObject() {
		return output.print(c.stdout, b)
	}
	known := slices.DeleteFunc([]string{programName, b.Version, b.Go, b.Revision, b.Time}, func(s string) bool { return s == "" })
	_, err := fmt.Fprintln(c.stdout, strings.Join(known, " "))
	return err
}
