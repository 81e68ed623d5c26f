package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/notify"
	"mkio-bridge/internal/printable"
)

func notifyFailedCommand(c *call) *cobra.Command {
	return groupCommand("failed", "list, retry or delete dead letters", listFailedCommand(c), retryFailedCommand(c), deleteFailedCommand(c))
}

// failedOptions are the flags and arguments of the subcommands of notify failed.
type failedOptions struct {
	config  string // the rules file
	file    string // of dead letters; "": the stream
	rule    string
	numbers []uint64 // none: all of the rule, or all
	table
	output format
}

func (o *failedOptions) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.file, "failed-file", "", "`FILE` of dead letters (default: the stream or, where it cannot be read, "+defaultFailedFile+")")
	cmd.Flags().StringVar(&o.rule, "rule", "", "only dead letters of this `RULE`")
	outputFlag(cmd, &o.output, "a dead letter, with its event", "NUMBER")
}

func listFailedCommand(c *call) *cobra.Command {
	var o failedOptions
	cmd := &cobra.Command{
		Use: "list", Short: "list dead letters, oldest first",
		Example: "  mkio-bridge notify failed list --rule failed-jobs",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runListFailed(cmd.Context(), c, o) },
	}
	o.add(cmd)
	o.addHeadersFlag(cmd)
	return cmd
}

func runListFailed(ctx context.Context, c *call, o failedOptions) error {
	failed, err := c.openFailed(ctx, o)
	if err != nil {
		return err
	}
	defer failed.close()
	letters, err := failed.selected(ctx, o)
	if o.output == formatText {
		o.header(c.stdout, "%6s  %-19s  %-20s  %6s  %5s  %-58s  %s", "NUMBER", "TIME", "RULE", "EVENTS", "TRIES", "SUBJECT", "REASON")
	}
	for _, l := range letters {
		if err := printLetter(c.stdout, o.output, l); err != nil {
			return err
		}
	}
	return err
}

func printLetter(w io.Writer, output format, l notify.Letter) (err error) {
	switch output {
	case formatJSON, formatYAML:
		return output.print(w, l)
	case formatName:
		_, err = fmt.Fprintln(w, l.Number)
	case formatText:
		_, err = fmt.Fprintf(w, "%6d  %s  %-20s  %6d  %5d  %-58s  %s\n", l.Number, l.Time.UTC().Format(time.DateTime), printable.Name(l.Rule), l.Count,
			l.Tries, printable.Name(l.Subject), printable.Sentence(l.Reason))
	}
	return err
}

func retryFailedCommand(c *call) *cobra.Command {
	var o failedOptions
	cmd := &cobra.Command{
		Use: "retry --config FILE [NUMBER…]", Short: "send dead letters again, by the rules as they are now, and delete those that are taken",
		Example: "  mkio-bridge notify failed retry --config rules.yaml --rule failed-jobs\n  mkio-bridge notify failed retry --config rules.yaml 17 18",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.numbers, err = numbersOf(args); err != nil {
				return err
			}
			return runRetryFailed(cmd.Context(), c, o)
		},
	}
	configFlag(cmd, &o.config)
	o.add(cmd)
	return cmd
}

func runRetryFailed(ctx context.Context, c *call, o failedOptions) error {
	rules, err := loadRules(o.config)
	if err != nil {
		return err
	}
	failed, err := c.openFailed(ctx, o)
	if err != nil {
		return err
	}
	defer failed.close()
	letters, err := failed.selected(ctx, o)
	retrier := notify.Retrier{File: rules, JS: failed.js, Names: failed.names, Dead: failed.dead}
	return errors.Join(err, retrier.RetryAll(ctx, letters, func(l notify.Letter) error { return c.printOutcome(o.output, l, "sent") }))
}

func deleteFailedCommand(c *call) *cobra.Command {
	var o failedOptions
	cmd := &cobra.Command{
		Use: "delete NUMBER…", Short: "delete dead letters without sending them",
		Example: "  mkio-bridge notify failed delete 17",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.numbers, err = numbersOf(args); err != nil {
				return err
			}
			if len(o.numbers) == 0 && o.rule == "" {
				return usageError{errors.New("name the dead letters: their numbers, or --rule for all of a rule")}
			}
			return runDeleteFailed(cmd.Context(), c, o)
		},
	}
	o.add(cmd)
	return cmd
}

func runDeleteFailed(ctx context.Context, c *call, o failedOptions) error {
	failed, err := c.openFailed(ctx, o)
	if err != nil {
		return err
	}
	defer failed.close()
	letters, err := failed.selected(ctx, o)
	errs := []error{err}
	for _, l := range letters {
		if err := failed.dead.Delete(ctx, l.Number); err != nil {
			errs = append(errs, err)
			continue
		}
		if err := c.printOutcome(o.output, l, "deleted"); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

// printOutcome prints what became of a dead letter.
func (c *call) printOutcome(output format, l notify.Letter, outcome string) error {
	if output != formatText {
		return printLetter(c.stdout, output, l)
	}
	_, err := fmt.Fprintf(c.stdout, "%6d  %-20s  %s  %s\n", l.Number, printable.Name(l.Rule), printable.Name(l.Subject), outcome)
	return err
}

// numbersOf parses arguments as numbers of dead letters.
func numbersOf(args []string) (all []uint64, err error) {
	for _, argument := range args {
		n, err := sequenceOf(argument)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

// failedLetters are the dead letters that a command works on, and the connection to NATS.
type failedLetters struct {
	dead  notify.DeadLetters
	js    jetstream.JetStream
	names event.Names
	close func()
}

// openFailed opens the file of --failed-file, else the stream, else the default file.
func (c *call) openFailed(ctx context.Context, o failedOptions) (*failedLetters, error) {
	conf, err := loadConfig()
	if err != nil {
		return nil, usageError{err}
	}
	nc, js, err := c.connectNotify(ctx, conf, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	f := &failedLetters{js: js, names: event.NewNames(conf.SubjectPrefix), close: nc.Close}
	if f.dead, err = c.openLetters(ctx, js, f.names, o.file); err != nil {
		nc.Close()
		return nil, err
	}
	return f, nil
}

func (c *call) openLetters(ctx context.Context, js jetstream.JetStream, names event.Names, file string) (notify.DeadLetters, error) {
	if file != "" {
		if _, err := os.Stat(file); err != nil {
			return nil, usageError{fmt.Errorf("--failed-file: %w", err)}
		}
		return notify.OpenFile(file)
	}
	dead, err := notify.OpenStream(ctx, js, names, notify.StreamOptions{})
	if err == nil {
		return dead, nil
	}
	_, missing := os.Stat(defaultFailedFile)
	switch {
	case missing != nil && errors.Is(err, jetstream.ErrStreamNotFound): // it is created when a notifier is first run
		return noLetters{}, nil
	case missing != nil:
		return nil, fmt.Errorf("there are no dead letters here: %w, and there is no %s: name the notifier's file with --failed-file", err, defaultFailedFile)
	}
	reason := strings.TrimSpace(err.Error())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		reason = "the stream " + names.NotifyFailedStream() + " does not exist"
	}
	fmt.Fprintf(c.stderr, "%s: dead letters are read from the file %s: %s\n", c.command, defaultFailedFile, reason)
	return notify.OpenFile(defaultFailedFile)
}

// selected returns the dead letters that the flags and arguments select. A number without one is an error; the others are
// returned with it.
func (f *failedLetters) selected(ctx context.Context, o failedOptions) (letters []notify.Letter, err error) {
	all, err := f.dead.List(ctx)
	missing := slices.Clone(o.numbers)
	for _, l := range all {
		if (o.rule == "" || l.Rule == o.rule) && (len(o.numbers) == 0 || slices.Contains(o.numbers, l.Number)) {
			letters = append(letters, l)
			missing = slices.DeleteFunc(missing, func(n uint64) bool { return n == l.Number })
		}
	}
	for _, n := range missing {
		err = errors.Join(err, fmt.Errorf("%s has no dead letter %d", f.dead, n))
	}
	return letters, err
}

// noLetters are the dead letters where no notifier has stored any.
type noLetters struct{ notify.DeadLetters }

// List returns nothing.
func (noLetters) List(context.Context) ([]notify.Letter, error) { return nil, nil }

func (noLetters) String() string { return "NATS" }
