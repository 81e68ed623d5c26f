package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"mkio-bridge/internal/admin"
	"mkio-bridge/internal/doctor"
	"mkio-bridge/internal/mkio"
)

// A finding is the result of one check, as it is printed. The job of /v1/doctor has the same.
type finding admin.Finding

func doctorCommand(c *call) *cobra.Command {
	var output format
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "check an installation, and advise on each fault",
		Example: "  mkio-bridge doctor\n  mkio-bridge doctor --output json | jq 'select(.grade != \"ok\")'",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runDoctor(cmd.Context(), c, output) },
	}
	outputFlag(cmd, &output, "a check", "")
	return cmd
}

func runDoctor(ctx context.Context, c *call, output format) error {
	checks, failed := 0, 0
	for f := range c.findings(ctx) {
		checks++
		if f.Grade == string(doctor.Failed) {
			failed++
		}
		if err := f.print(c.stdout, output, c.colour()); err != nil {
			return err
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case failed > 0:
		return fmt.Errorf("%d of %d checks FAILED", failed, checks)
	}
	return nil
}

// findings yields those of the settings, then, if the settings are valid, those of the installation, each as soon as it is
// found.
func (c *call) findings(ctx context.Context) iter.Seq[finding] {
	return func(yield func(finding) bool) {
		conf, err := loadConfig()
		for _, f := range settingFindings(conf, err) {
			if !yield(f) {
				return
			}
		}
		if err == nil {
			verdicts := func(ctx context.Context) []finding { return c.verdicts(ctx, conf) }
			installationFindings(ctx, c.installation(conf), verdicts)(yield)
		}
	}
}

// installationFindings yields the findings of an installation, with advice, and then, if its status can be read, the verdicts.
func installationFindings(ctx context.Context, installation doctor.Config, verdicts func(context.Context) []finding) iter.Seq[finding] {
	return func(yield func(finding) bool) {
		reachable := true
		for f := range doctor.Examine(ctx, installation) {
			if !yield(finding{f.Check, string(f.Level), f.Found, findingAdvice(f)}) {
				return
			}
			reachable = reachable && (f.Level != doctor.Failed || !slices.ContainsFunc(f.Codes, noStatus))
		}
		if !reachable || ctx.Err() != nil {
			return
		}
		for _, f := range verdicts(ctx) {
			if !yield(f) {
				return
			}
		}
	}
}

// settingFindings checks the settings on their own; err is loadConfig's.
func settingFindings(conf config, err error) []finding {
	const check = "configuration"
	var all []finding
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			all = append(all, finding{check, string(doctor.Failed), strings.TrimSpace(line), "correct it; mkio-bridge config --help describes each setting"})
		}
		return all
	}
	all = append(all, finding{check, string(doctor.OK), "valid", ""})
	for _, w := range conf.trimmedSecrets() {
		all = append(all, finding{w.setting, string(doctor.Warning), "characters around the secret are ignored: " + strings.Join(w.ignored, ", "), trimAdvice})
	}
	if len(conf.WebhookSecrets.all()) == 0 {
		all = append(all, finding{"webhook secret", string(doctor.Warning), "not set: anyone who can reach " + conf.Listen + " can forge events", "set BRIDGE_WEBHOOK_SECRETS"})
	}
	for _, w := range conf.weakSecrets() {
		all = append(all, finding{"secret", string(doctor.Warning), w.setting + " is easily guessed, and its listener is reachable from outside: " + w.why, secretAdvice})
	}
	return all
}

// installation returns what the doctor examines, from the settings.
func (c *call) installation(conf config) doctor.Config {
	return conf.installation(func(ctx context.Context) (jetstream.JetStream, error) {
		_, js, err := c.connect(ctx, conf, slog.New(slog.DiscardHandler))
		return js, err
	})
}

// installation returns what the doctor examines, with a connection to its NATS.
func (c config) installation(connect func(context.Context) (jetstream.JetStream, error)) doctor.Config {
	return doctor.Config{
		Webhook: doctor.Webhook{
			URL: c.WebhookURL, Rule: c.WebhookRule, Secret: c.currentSecret, ClientCerts: c.TLSClientCA != "",
		},
		NATS: doctor.NATS{Connect: connect, Embedded: c.NatsURL == "", Domain: c.NatsDomain, Streams: c.streams()},
		MKIO: doctor.MKIO{
			URL: c.MkioURL, Transport: c.mkioTransport, Client: func() (*mkio.Client, error) { return c.client(nil) },
			Token: c.MkioToken.value(), Projects: c.Projects, Kinds: c.kindsToPoll(), Claim: c.claim(),
		},
	}
}

// print writes a finding as an object, or as text.
func (f finding) print(w io.Writer, output format, c colour) error {
	if output.isObject() {
		return output.print(w, f)
	}
	text := fmt.Sprintf("%s %s: %s\n", c.ofLevel(doctor.Level(f.Grade), fmt.Sprintf("%-8s", f.Grade)), f.Check, f.Found)
	if f.Do != "" {
		text += "         → " + f.Do + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}
