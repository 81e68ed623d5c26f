// Command bridge writes every state change of MK.IO's resources to NATS JetStream, exactly once and in order per resource.
// See README.md.
//
// main.go has the command line: commands, flags, exit codes, and how errors get advice. Each command has a file of its name.
// The service is [runService] in run.go: config.go reads the settings, bridge.go opens the parts, serve.go runs and stops
// them, poll.go connects the poller. The internal packages know no settings; advice.go adds to their errors which setting to
// change.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"mkio-bridge/internal/broker"
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// A command is the first argument of bridge, or the second after unapplied and webhook.
type command struct {
	name, args, summary string
	run                 func(ctx context.Context, c *call) error
}

// A call is one invocation of a command, without its name in args. Data goes to stdout, logs to stderr.
type call struct {
	command        command
	args           []string
	stdout, stderr io.Writer
}

// commands returns all commands, in the order of the help text.
func commands() []command {
	return []command{
		{"run", "", "run the service (the default)", runService},
		{"demo", "", "simulate a day of MK.IO in seconds, with an embedded NATS server", runDemo},
		{"mkio-fake", "", "run a simulated MK.IO: API and webhooks, with faults", runMkioFake},
		{"events", "", "read the event log", runEvents},
		{"state", "", "print the current state of resources", runState},
		{"wait", "KIND PROJECT NAME…", "wait until a resource reaches a state or phase", runWait},
		{"trigger", "KIND.STATE", "send a made-up delivery to a bridge, as MK.IO would", runTrigger},
		{"replay", "PREFIX", "republish events in order under another subject prefix", runReplay},
		{"verify", "", "verify the log's hash chains, and print a root over them", runVerify},
		{"audit", "", "report verified periods and gaps", runAudit},
		{"unapplied", "list|show|retry", "list, show or retry deliveries that became no event", runUnapplied},
		{"webhook", "register|show|history|delete", "manage the bridge's webhook rule in MK.IO projects", runWebhook},
		{"doctor", "", "check an installation, and advise on each fault", runDoctor},
		{"schema", "[NAME]", "print a JSON Schema or the AsyncAPI document, e.g. event; without NAME, list them", runSchema},
		{"config", "", "print the effective configuration, secrets masked", runConfig},
		{"healthcheck", "", "probe /readyz of a bridge on this machine", runHealthcheck},
		{"version", "", "print the build", runVersion},
	}
}

// run runs the command that args name, prints its error, and returns the exit code. Tests call it in place of main.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	name := "run"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	} else if len(args) > 0 && slices.Contains([]string{"-h", "-help", "--help"}, args[0]) {
		name = "help"
	}
	if name == "help" && len(args) > 0 && !strings.HasPrefix(args[0], "-") && args[0] != name {
		return run(ctx, []string{args[0], "-h"}, stdout, stderr)
	}
	if name == "help" {
		printHelp(stdout)
		return exitOK
	}
	i := slices.IndexFunc(commands(), func(c command) bool { return c.name == name })
	if i < 0 {
		fmt.Fprintf(stderr, "bridge: unknown command %q; bridge help lists the commands\n", name)
		return exitUsage
	}
	err := commands()[i].run(ctx, &call{commands()[i], args, stdout, stderr})
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	}
	fmt.Fprintf(stderr, "bridge %s: %s\n", name, withAdvice(err))
	if _, ok := errors.AsType[usageError](err); ok {
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

func printHelp(w io.Writer) {
	fmt.Fprint(w, "bridge writes every state change of MK.IO's resources to NATS JetStream.\n\nUsage: bridge [COMMAND] [FLAGS] [ARGUMENTS]\n\n")
	fmt.Fprint(w, commandTable("  %-12s %s\n"))
	fmt.Fprint(w, "\nbridge COMMAND -h lists a command's flags. Settings are environment variables: bridge config -h lists them.\n")
}

// commandTable returns a line for each command. The format has the verbs for its usage and summary.
func commandTable(format string) string {
	var b strings.Builder
	for _, c := range commands() {
		fmt.Fprintf(&b, format, strings.TrimSpace(c.name+" "+c.args), c.summary)
	}
	return b.String()
}

// usageError is for invalid arguments, flags or settings: exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// unreachableError is for NATS servers that cannot be reached: exit code 4.
type unreachableError struct{ error }

func (e unreachableError) Unwrap() error { return e.error }

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

// flags returns an empty flag set for the command.
func (c *call) flags() *flag.FlagSet {
	set := flag.NewFlagSet(c.command.name, flag.ContinueOnError)
	set.SetOutput(c.stderr)
	set.Usage = func() {} // parse prints it, for -h only
	return set
}

// printUsage prints a command's arguments and flags.
func (c *call) printUsage(set *flag.FlagSet) {
	fmt.Fprintf(c.stdout, "Usage: bridge %s [FLAGS] %s\n\n%s\n\n", c.command.name, c.command.args, c.command.summary)
	set.SetOutput(c.stdout)
	set.PrintDefaults()
}

// parse reads flags, which may stand before or after arguments, and returns the arguments.
func (c *call) parse(set *flag.FlagSet, atMost int) ([]string, error) {
	set.SetOutput(io.Discard) // run prints the error, once
	var arguments []string
	for rest := c.args; len(rest) > 0; {
		if err := set.Parse(rest); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				c.printUsage(set)
				return nil, err
			}
			return nil, usageError{fmt.Errorf("%w (bridge %s -h lists the flags)", err, c.command.name)}
		}
		if rest = set.Args(); len(rest) > 0 {
			arguments, rest = append(arguments, rest[0]), rest[1:]
		}
	}
	if len(arguments) > atMost {
		return nil, usageError{fmt.Errorf("unexpected argument %q", arguments[atMost])}
	}
	return arguments, nil
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
