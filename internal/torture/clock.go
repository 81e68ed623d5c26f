package torture

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// clockVariable names the file from which a program reads how far its clock is off, in seconds.
const clockVariable = "TORTURE_CLOCK"

// steppable makes the wall clock of a program one that can be stepped from outside, without touching the machine's: its
// standard library adds what the file says. Time that is measured goes on evenly, as on a real machine.
func (o overlay) steppable(ctx context.Context) error {
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

// clockReader is the part of a program that reads the file.
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
