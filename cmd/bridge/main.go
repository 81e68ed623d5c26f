// Command bridge, installed as mkio-bridge, writes every state change of MK.IO's resources to NATS JetStream, exactly once and
// in order per resource. See README.md.
//
// main.go has exit codes, and how errors get advice. root.go has the tree of commands; each command has a file of its name.
// selection.go and output.go have the flags that commands share, twodashes.go accepts long flags with one dash, and
// completion.go completes words in a shell.
//
// The service is [runService] in run.go: config.go reads the settings, bridge.go opens the parts, serve.go runs and stops
// them, poll.go connects the poller. The internal packages know no settings; advice.go adds to their errors which setting to
// change.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"mkio-bridge/internal/broker"
	"mkio-bridge/internal/notify"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitTimedOut    = 3
	exitUnreachable = 4 // NATS cannot be reached
)

func main() {
	notify.LimitDefaultClient() // here, because the client belongs to the whole process
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// A call is one invocation of the program. Data goes to stdout, logs to stderr.
type call struct {
	command        string // with the program's name, e.g. "mkio-bridge webhook show"; "" before a command runs
	stdout, stderr io.Writer
}

// run runs the command that args name, prints its error, and returns the exit code. Tests call it in place of main.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c := &call{stdout: stdout, stderr: stderr}
	root := newRoot(c)
	root.SetArgs(twoDashes(root, args))
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(stderr, "%s: %s\n", command.CommandPath(), withAdvice(err))
	return c.exitCode(err)
}

// exitCode returns the exit code of an error. An error before a command runs is of the command line.
func (c *call) exitCode(err error) int {
	if _, ok := errors.AsType[usageError](err); ok || c.command == "" {
		return exitUsage
	}
	if _, ok := errors.AsType[unreachableError](err); ok {
		return exitUnreachable
	}
	if errors.Is(err, errTimedOut) {
		return exitTimedOut
	}
	return exitFailed
}

// usageError is for invalid arguments, flags or settings: exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// unreachableError is for NATS servers that cannot be reached: exit code 4.
type unreachableError struct{ error }

func (e unreachableError) Unwrap() error { return e.error }

// noBridgeError is for a command that, without BRIDGE_NATS_URL, finds no embedded server of a bridge at BRIDGE_NATS_LISTEN.
type noBridgeError struct{ error }

func (e noBridgeError) Unwrap() error { return e.error }

// connectError classifies an error of connecting to NATS: a usageError for invalid settings, an unreachableError when no
// server responds. A refused connection is returned unchanged.
func connectError(err error) error {
	if _, ok := errors.AsType[broker.SettingError](err); ok {
		return usageError{settingError(err)}
	}
	if _, ok := errors.AsType[broker.RefusedError](err); ok {
		return err
	}
	return unreachableError{err}
}

// withAdvice returns the text of an error, followed by what to do about it.
func withAdvice(err error) string {
	if each, ok := errors.AsType[failures](err); ok {
		lines := make([]string, len(each))
		for i, err := range each {
			lines[i] = withAdvice(err)
		}
		return strings.Join(lines, "\n")
	}
	if do := advice(err); do != "" {
		return err.Error() + ": " + do
	}
	return err.Error()
}

// logger returns a logger to standard error.
func (c *call) logger(conf config) *slog.Logger {
	options := &slog.HandlerOptions{Level: conf.LogLevel}
	if conf.LogFormat == "text" || conf.LogFormat == "" && terminal(c.stderr) {
		return slog.New(slog.NewTextHandler(c.stderr, options))
	}
	return slog.New(slog.NewJSONHandler(c.stderr, options))
}

// terminal reports whether w is a terminal.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
