package main

import (
	"errors"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

func TestMemoryIsLimitedByTheContainer(t *testing.T) {
	restoreLimit(t)
	if err := os.Unsetenv("GOMEMLIMIT"); err != nil {
		t.Fatal(err)
	}
	if output, err := limitMemory(memlimit.Limit(200 << 20)); err != nil || output != "180MiB" || debug.SetMemoryLimit(-1) != 180<<20 {
		t.Errorf("of 200 MiB: %s, %v, in force %d", output, err, debug.SetMemoryLimit(-1))
	}
	none := func() (uint64, error) { return 0, memlimit.ErrNoLimit }
	if output, err := limitMemory(none); err != nil || output != "none" {
		t.Errorf("without a limit: %s, %v", output, err)
	}
	broken := func() (uint64, error) { return 0, errors.New("no cgroup") }
	if _, err := limitMemory(broken); err == nil || !strings.Contains(err.Error(), "GOMEMLIMIT") {
		t.Errorf("an unreadable limit: %v", err)
	}
}

func TestGOMEMLIMITTakesPrecedence(t *testing.T) {
	restoreLimit(t)
	t.Setenv("GOMEMLIMIT", "100MiB") // Go reads it when the process starts
	debug.SetMemoryLimit(100 << 20)
	if output, err := limitMemory(memlimit.Limit(200 << 20)); err != nil || output != "100MiB" || debug.SetMemoryLimit(-1) != 100<<20 {
		t.Errorf("%s, %v, in force %d", output, err, debug.SetMemoryLimit(-1))
	}
}

// restoreLimit restores the memory limit of the tests.
func restoreLimit(t *testing.T) {
	t.Helper()
	t.Setenv("GOMEMLIMIT", "") // restored after the test
	limit := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(limit) })
}
