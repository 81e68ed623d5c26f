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
	if said, err := limitMemory(memlimit.Limit(200 << 20)); err != nil || said != "180MiB" || debug.SetMemoryLimit(-1) != 180<<20 {
		t.Errorf("of 200 MiB: %s, %v, in force %d", said, err, debug.SetMemoryLimit(-1))
	}
	none := func() (uint64, error) { return 0, memlimit.ErrNoLimit }
	if said, err := limitMemory(none); err != nil || said != "none" {
		t.Errorf("without a limit: %s, %v", said, err)
	}
	broken := func() (uint64, error) { return 0, errors.New("no cgroup") }
	if _, err := limitMemory(broken); err == nil || !strings.Contains(err.Error(), "GOMEMLIMIT") {
		t.Errorf("an unreadable limit: %v", err)
	}
}

func TestGOMEMLIMITIsObeyed(t *testing.T) {
	restoreLimit(t)
	t.Setenv("GOMEMLIMIT", "100MiB") // Go reads it when the process starts
	debug.SetMemoryLimit(100 << 20)
	if said, err := limitMemory(memlimit.Limit(200 << 20)); err != nil || said != "100MiB" || debug.SetMemoryLimit(-1) != 100<<20 {
		t.Errorf("%s, %v, in force %d", said, err, debug.SetMemoryLimit(-1))
	}
}

// restoreLimit puts the tests' own limit back.
func restoreLimit(t *testing.T) {
	t.Helper()
	t.Setenv("GOMEMLIMIT", "") // it comes back too
	limit := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(limit) })
}
