// Command bridge writes every change of state of MK.IO's resources into NATS JetStream, exactly once
// and in order per resource. See README.md.
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

// A command is one word after bridge.
type command struct {
	name, args, summary string
	run                 func(ctx context.Context, c *call) error
}

// A call is one invocation of a command. Data goes to stdout, logs to stderr.
type call struct {
	command        command
	args           []string
	stdout, stderr io.Writer
}

// commands returns all commands, in the order of the help.
func commands() []command {
	return []command{
		{"run", "", "the service (the default)", runService},
		{"demo", "", "a simulated day of MK.IO in seconds, with an embedded server", runDemo},
		{"mkio-fake", "", "a simulated MK.IO: its API and its webhooks, with faults", runMkioFake},
		{"events", "", "read the log", runEvents},
		{"state", "", "the current state of resources", runState},
		{"wait", "KIND PROJECT NAME…", "wait until a resource is in a state or phase", runWait},
		{"replay", "PREFIX", "publish events again, in order, under another subject prefix", runReplay},
		{"verify", "", "prove that the log's chains are whole, and print a root over them", runVerify},
		{"audit", "", "tell what is proven complete, and what is not", runAudit},
		{"unapplied", "list|show|retry", "the deliveries that became no event", runUnapplied},
		{"webhook", "register|show|history|delete", "the bridge's webhook rule in MK.IO's projects", runWebhook},
		{"doctor", "", "check an installation, and say what to do", runDoctor},
		{"schema", "[NAME]", "print a JSON Schema or the AsyncAPI document, or the names of all", runSchema},
		{"config", "", "print the configuration in force, secrets masked", runConfig},
		{"healthcheck", "", "probe /readyz of a bridge on this machine", runHealthcheck},
		{"version", "", "print the build", runVersion},
	}
}

// run is the whole program: it picks the command, and turns its error into a line and an exit code.
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
		fmt.Fprintf(stderr, "bridge: there is no command %q; bridge help lists them\n", name)
		return exitUsage
	}
	err := commands()[i].run(ctx, &call{commands()[i], args, stdout, stderr})
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	}
	fmt.Fprintf(stderr, "bridge %s: %s\n", name, advised(err))
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
	fmt.Fprint(w, "bridge writes every change of state of MK.IO's resources into NATS JetStream.\n\nUsage: bridge [COMMAND] [FLAGS] [ARGUMENTS]\n\n")
	fmt.Fprint(w, commandTable("  %-12s %s\n"))
	fmt.Fprint(w, "\nbridge COMMAND -h tells a command's flags. Settings are environment variables: bridge config lists them.\n")
}

// commandTable writes a line for each command.
func commandTable(format string) string {
	var b strings.Builder
	for _, c := range commands() {
		fmt.Fprintf(&b, format, strings.TrimSpace(c.name+" "+c.args), c.summary)
	}
	return b.String()
}

// usageError is for a call that cannot be understood.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// unreachableError is for a NATS that does not answer.
type unreachableError struct{ error }

func (e unreachableError) Unwrap() error { return e.error }

// connectError tells a NATS that does not answer from settings with which it was not even asked, and from one that
// refuses the connection.
func connectError(err error) error {
	if _, ok := errors.AsType[broker.SettingError](err); ok {
		return usageError{settingError(err)}
	}
	if _, ok := errors.AsType[broker.RefusedError](err); ok {
		return err
	}
	return unreachableError{err}
}

// advised is what an error says, with what can be done about it.
func advised(err error) string {
	if each, ok := errors.AsType[failures](err); ok {
		lines := make([]string, len(each))
		for i, err := range each {
			lines[i] = advised(err)
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
	set.Usage = func() {} // parse prints it, where it is asked for
	return set
}

// printUsage tells a command's arguments and flags.
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
			return nil, usageError{fmt.Errorf("%w (bridge %s -h tells the flags)", err, c.command.name)}
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

// logger returns the log of a service, on standard error.
func (c *call) logger(conf config) *slog.Logger {
	options := &slog.HandlerOptions{Level: conf.LogLevel}
	if conf.LogFormat == "text" || conf.LogFormat == "" && terminal(c.stderr) {
		return slog.New(slog.NewTextHandler(c.stderr, options))
	}
	return slog.New(slog.NewJSONHandler(c.stderr, options))
}

// terminal says whether a person reads what is written.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
