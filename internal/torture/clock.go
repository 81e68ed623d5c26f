package torture

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// clockVariable names the file that holds how far a program's clock is off, in seconds.
const clockVariable = "TORTURE_CLOCK"

// makeClockSteppable overlays the standard library so that a program adds an offset to its wall clock, without touching the
// machine's. Monotonic time advances evenly, as on a real machine.
func (o overlay) makeClockSteppable(ctx context.Context) error {
	root, err := goCommand(ctx, "env", "GOROOT")
	if err != nil {
		return err
	}
	clock := filepath.Join(root, "src", "time", "time.go")
	if err := o.edit(clock, "sec, nsec, mono := runtimeNow()\n", "sec, nsec, mono := runtimeNow()\n\tsec += Step.Load()\n"); err != nil {
		return err
	}
	if err := o.edit(clock, "import (\n", "import (\n\t\"sync/atomic\"\n"); err != nil {
		return err
	}
	o[clock] += "\n// Step is how far the wall clock is off, in seconds.\nvar Step atomic.Int64\n"
	return nil
}

// clockReader is the source that reads the offset from the file.
const clockReader = `package main

import (
	"os"
	"strconv"
	"strings"
	"time"
)

func init() {
	file := os.Getenv("` + clockVariable + `")
	if file == "" {
		return
	}
	read := func() {
		content, _ := os.ReadFile(file)
		if seconds, err := strconv.ParseInt(strings.TrimSpace(string(content)), 10, 64); err == nil {
			time.Step.Store(seconds)
		}
	}
	read()
	go func() {
		for range time.Tick(100 * time.Millisecond) {
			read()
		}
	}()
}
`

// stepClock sets how far a program's clock is off.
func stepClock(file string, by time.Duration) error {
	return os.WriteFile(file, []byte(strconv.FormatInt(int64(by.Seconds()), 10)), 0o600)
}
