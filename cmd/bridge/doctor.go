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

	"mkio-bridge/internal/doctor"
	"mkio-bridge/internal/mkio"
)

// A finding is the result of one check, as it is printed.
type finding struct {
	Check string       `json:"check"`
	Level doctor.Level `json:"grade"`
	Found string       `json:"found"`
	Do    string       `json:"do,omitempty"`
}

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
		if f.Level == doctor.Failed {
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
		if err != nil {
			return
		}
		reachable := true
		for f := range doctor.Examine(ctx, c.installation(conf)) {
			if !yield(finding{f.Check, f.Level, f.Found, findingAdvice(f)}) {
				return
			}
			reachable = reachable && (f.Level != doctor.Failed || !slices.ContainsFunc(f.Codes, noStatus))
		}
		if !reachable || ctx.Err() != nil {
			return
		}
		for _, f := range c.verdicts(ctx, conf) {
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
			all = append(all, finding{check, doctor.Failed, strings.TrimSpace(line), "correct it; mkio-bridge config --help describes each setting"})
		}
		return all
	}
	all = append(all, finding{check, doctor.OK, "valid", ""})
	for _, w := range conf.trimmedSecrets() {
		all = append(all, finding{w.setting, doctor.Warning, "characters around the secret are ignored: " + strings.Join(w.ignored, ", "), trimAdvice})
	}
	if len(conf.WebhookSecrets.all()) == 0 {
		all = append(all, finding{"webhook secret", doctor.Warning, "not set: anyone who can reach " + conf.Listen + " can forge events", "set BRIDGE_WEBHOOK_SECRETS"})
	}
	for _, w := range conf.weakSecrets() {
		all = append(all, finding{"secret", doctor.Warning, w.setting + " is easily guessed, and its listener is reachable from outside: " + w.why, secretAdvice})
	}
	return all
}

// installation returns what the doctor examines, from the settings.
func (c *call) installation(conf config) doctor.Config {
	return doctor.Config{
		Webhook: doctor.Webhook{
			URL: conf.WebhookURL, Rule: conf.WebhookRule, Secret: conf.currentSecret, ClientCerts: conf.TLSClientCA != "",
		},
		NATS: doctor.NATS{
			Connect: func(ctx context.Context) (jetstream.JetStream, error) {
				_, js, err := c.connect(ctx, conf, slog.New(slog.DiscardHandler))
				return js, err
			},
			Embedded: conf.NatsURL == "", Domain: conf.NatsDomain, Streams: conf.streams(),
		},
		MKIO: doctor.MKIO{
			URL: conf.MkioURL, Transport: conf.mkioTransport, Client: func() (*mkio.Client, error) { return conf.client(nil) },
			Token: conf.MkioToken.value(), Projects: conf.Projects, Kinds: conf.kindsToPoll(), Claim: conf.claim(),
		},
	}
}

// print writes a finding as an object, or as text.
func (f finding) print(w io.Writer, output format, c colour) error {
	if output.isObject() {
		return output.print(w, f)
	}
	text := fmt.Sprintf("%s %s: %s\n", c.ofLevel(f.Level, fmt.Sprintf("%-8s", f.Level)), f.Check, f.Found)
	if f.Do != "" {
		text += "         → " + f.Do + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}
