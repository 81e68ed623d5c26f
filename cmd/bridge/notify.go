package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"mkio-bridge/internal/broker"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/notify"
	"mkio-bridge/internal/printable"
	"mkio-bridge/internal/spelling"
)

// notifyOptions are the flags of notify.
type notifyOptions struct {
	file       string // with the rules
	listen     string
	failedFile string
	check      bool
	test       string // name of a rule
	dryRun     bool
	since      time.Time
	output     format
}

// defaultFailedFile is where dead letters are stored when NATS permits no stream of them.
const defaultFailedFile = "mkio-notify-failed.jsonl"

func notifyCommand(c *call) *cobra.Command {
	var o notifyOptions
	cmd := &cobra.Command{
		Use:   "notify --config FILE",
		Short: "send events to webhooks and notification services, by the rules of a file",
		Long: "send events to webhooks and notification services, by the rules of a file\n\n" +
			"It runs as a process of its own, beside bridges or elsewhere, and connects to NATS by the BRIDGE_NATS_ settings. Each rule\n" +
			"has a durable consumer, so nothing is lost while it does not run. The file is read again when it changes. Processes with\n" +
			"the same rules share them: each rule runs in one, and in another when that one ends.\n\n" +
			"An event that the target refuses, or does not take in all tries, becomes a dead letter in the stream MKIO_NOTIFY_FAILED or,\n" +
			"where NATS does not permit that, in --failed-file.",
		Example: `  mkio-bridge notify --config rules.yaml --check
  mkio-bridge notify --config rules.yaml --test failed-jobs
  mkio-bridge notify --config rules.yaml --dry-run
  mkio-bridge notify --config rules.yaml`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runNotify(cmd.Context(), c, o) },
	}
	set := cmd.Flags()
	configFlag(cmd, &o.file)
	set.StringVar(&o.listen, "listen", "127.0.0.1:9091", "listen `ADDRESS` for /livez, /readyz and /metrics")
	set.StringVar(&o.failedFile, "failed-file", defaultFailedFile, "`FILE` of dead letters, where NATS permits no stream")
	set.BoolVar(&o.check, "check", false, "check the file and the secrets that it names, and exit")
	set.StringVar(&o.test, "test", "", "send one sample event by this `RULE`, and exit")
	set.BoolVar(&o.dryRun, "dry-run", false, "print what the rules would have sent since --since, send nothing, and exit")
	set.Func("since", "beginning of --dry-run; `TIME` is "+eventlog.TimeForms+" (default 1h)", parsed(&o.since, eventlog.ParseTime))
	outputFlag(cmd, &o.output, "a message of --dry-run", "")
	cmd.AddCommand(notifyFailedCommand(c))
	return cmd
}

// configFlag defines --config, the rules file.
func configFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "config", "", "`FILE` with the rules, in YAML; mkio-bridge schema notify-rules prints its schema")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml") // cannot fail: the flag exists
}

func runNotify(ctx context.Context, c *call, o notifyOptions) error {
	if o.check && o.dryRun || o.test != "" && (o.check || o.dryRun) {
		return usageError{errors.New("--check, --test and --dry-run exclude each other")}
	}
	file, err := loadRules(o.file)
	if err != nil {
		return err
	}
	switch {
	case o.check:
		return c.checkRules(file)
	case o.test != "":
		return c.testRule(ctx, file, o.test)
	case o.dryRun:
		return c.previewRules(ctx, file, o)
	}
	return c.serveNotify(ctx, o)
}

// loadRules reads a rules file.
func loadRules(name string) (*notify.File, error) {
	if name == "" {
		return nil, usageError{errors.New("--config is missing: name the file with the rules")}
	}
	file, err := notify.Load(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usageError{fmt.Errorf("--config: %w", err)}
	}
	if err != nil {
		return nil, usageError{err}
	}
	return file, nil
}

// eventNames returns the names for the configured prefix; the default ones if the settings have a mistake, which does not
// matter for a sample.
func eventNames() event.Names {
	conf, err := loadConfig()
	if err != nil {
		return event.NewNames(event.DefaultPrefix)
	}
	return event.NewNames(conf.SubjectPrefix)
}

// checkRules makes a message of each rule for a sample event, and opens its target.
func (c *call) checkRules(file *notify.File) error {
	var errs []error
	for _, r := range file.Rules {
		err := r.Check(eventNames())
		if err == nil {
			_, err = r.OpenTarget()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("rule %s: %w", r.Name, err))
			continue
		}
		fmt.Fprintf(c.stdout, "%s sends %s to %s\n", r.Name, printable.Sentence(r.Filter.String()), r.Target)
	}
	return errors.Join(errs...)
}

// testRule sends a sample event.
func (c *call) testRule(ctx context.Context, file *notify.File, name string) error {
	r := file.Find(name)
	if r == nil {
		return usageError{fmt.Errorf("--test: there is no rule %s; did you mean %s?", name, spelling.Nearest(name, file.Names()))}
	}
	e, payload, err := r.Sample(eventNames(), time.Now())
	if err != nil {
		return err
	}
	m, err := r.Render(e, payload, 1)
	if err != nil {
		return err
	}
	target, err := r.OpenTarget()
	if err != nil {
		return err
	}
	m.Title = "Test: " + m.Title
	ctx, cancel := context.WithTimeout(ctx, time.Duration(r.Retry.Timeout))
	defer cancel()
	if err := target.Send(ctx, m); err != nil {
		return fmt.Errorf("target %s: %w", r.Target, err)
	}
	fmt.Fprintf(c.stdout, "target %s took the message %q\n", r.Target, m.Title)
	return nil
}

// previewRules prints what the rules would have sent.
func (c *call) previewRules(ctx context.Context, file *notify.File, o notifyOptions) error {
	log, done, err := c.openLog(ctx)
	if err != nil {
		return err
	}
	defer done()
	if o.since.IsZero() {
		o.since = time.Now().Add(-time.Hour)
	}
	for _, r := range file.Rules {
		if err := r.Preview(log.Events(ctx, eventlog.Query{Since: o.since}), c.previewPrinter(o.output)); err != nil {
			return fmt.Errorf("rule %s: %w", r.Name, err)
		}
	}
	return nil
}

func (c *call) previewPrinter(output format) func(notify.Preview) error {
	return func(p notify.Preview) error {
		if output.isObject() {
			return output.print(c.stdout, p)
		}
		note := ""
		if p.Muted {
			note = " (muted: not sent)"
		}
		_, err := fmt.Fprintf(c.stdout, "%s  %-20s  %s%s\n", p.Time.Format(time.DateTime), p.Rule, printable.Sentence(p.Title), note)
		return err
	}
}

// serveNotify runs the rules until the context ends.
func (c *call) serveNotify(ctx context.Context, o notifyOptions) error {
	conf, err := loadConfig()
	if err != nil {
		return usageError{err}
	}
	log := c.logger(conf)
	if _, err := limitMemory(memlimit.FromCgroup); err != nil {
		log.Warn("memory limit of the container cannot be read; continuing without it", "error", err)
	}
	l, err := listenNotify(ctx, o.listen)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }() // serving has closed it already
	nc, js, err := c.connectNotify(ctx, conf, log)
	if err != nil {
		return err
	}
	defer nc.Close()
	dead, err := openDeadLetters(ctx, js, conf, o.failedFile, log)
	if err != nil {
		return err
	}
	n := notify.New(notify.Config{NC: nc, JS: js, Names: event.NewNames(conf.SubjectPrefix), File: o.file, Dead: dead, Log: log})
	log.Info("notifier started", "version", version(), "config", o.file, "dead_letters", dead.String(), "nats", nc.ConnectedServerVersion())
	return serveNotifier(ctx, n, nc, l, log)
}

// connectNotify connects to NATS for a process that uses the connection from several goroutines.
func (c *call) connectNotify(ctx context.Context, conf config, log *slog.Logger) (*nats.Conn, jetstream.JetStream, error) {
	nc, _, err := c.connect(ctx, conf, log)
	if err != nil {
		return nil, nil, err
	}
	js, err := broker.NewJetStreamInDomain(nc, conf.NatsDomain)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return nc, js, nil
}

// openDeadLetters opens the stream of dead letters, or else the file.
func openDeadLetters(ctx context.Context, js jetstream.JetStream, conf config, file string, log *slog.Logger) (notify.DeadLetters, error) {
	dead, err := notify.OpenStream(ctx, js, event.NewNames(conf.SubjectPrefix), notify.StreamOptions{
		Create: conf.StreamManage == "create", Replicas: conf.StreamReplicas, MaxBytes: int64(conf.StreamMaxBytes),
	})
	if err == nil {
		return dead, nil
	}
	if ctx.Err() != nil {
		return nil, err
	}
	stored, fileErr := notify.OpenFile(file)
	if fileErr != nil {
		return nil, fmt.Errorf("dead letters can be stored neither in NATS (%s) nor in --failed-file: %w", strings.TrimSpace(err.Error()), fileErr)
	}
	log.Warn("dead letters are stored in a file, because their stream cannot be used", "file", file, "error", err)
	return stored, nil
}
