package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestCommandLine(t *testing.T) {
	tests := []struct {
		args []string
		env  []string
		code int
		want string
	}{
		{[]string{"help"}, nil, exitOK, "healthcheck"},
		{[]string{"-h"}, nil, exitOK, "mkio-bridge [command]"},
		{[]string{"-help"}, nil, exitOK, "mkio-bridge [command]"},
		{[]string{"--version"}, nil, exitOK, "mkio-bridge "},
		{[]string{"events", "-h"}, nil, exitOK, "Usage:\n  mkio-bridge events [flags]"},
		{[]string{"events", "--help"}, nil, exitOK, "--follow"},
		{[]string{"help", "events"}, nil, exitOK, "--follow"},
		{[]string{"help", "webhook", "show"}, nil, exitOK, "mkio-bridge webhook show [flags]"},
		{[]string{"help", "help"}, nil, exitOK, "mkio-bridge help"},
		{[]string{"help", "webhook", "shwo"}, nil, exitUsage, "did you mean show?"},
		{[]string{"help", "dance"}, nil, exitUsage, "unknown command \"dance\""},
		{[]string{"config", "-h"}, nil, exitOK, "BRIDGE_WEBHOOK_SECRETS"},
		{[]string{"dance"}, nil, exitUsage, "unknown command \"dance\""},
		{[]string{"dance", "--slowly"}, nil, exitUsage, "unknown command \"dance\""},
		{[]string{"evnets"}, nil, exitUsage, "did you mean events?"},
		{[]string{"webhook"}, nil, exitUsage, "subcommand missing: register, show, history, delete"},
		{[]string{"webhook", "regster"}, nil, exitUsage, "did you mean register?"},
		{[]string{"completion", "bash", "extra"}, nil, exitUsage, "extra"},
		{[]string{"events", "--knid", "job"}, nil, exitUsage, "did you mean --kind?"},
		{[]string{"events", "--kind", "jbo"}, nil, exitUsage, "did you mean job?"},
		{[]string{"wait", "jbo", "p", "t", "j", "--for", "Finished"}, nil, exitUsage, "did you mean job?"},
		{[]string{"events", "--state", "Finishd"}, []string{"BRIDGE_NATS_LISTEN=127.0.0.1:1"}, exitUnreachable, "the nearest is Finished"},
		{[]string{"events", "--tail", "1", "--limit", "1"}, nil, exitUsage, "exclude"},
		{[]string{"events", "--kind", "cassette"}, nil, exitUsage, "streaming-locator"},
		{[]string{"events", "--output", "xml"}, nil, exitUsage, "text, json, yaml or name"},
		{[]string{"events", "extra"}, nil, exitUsage, "extra"},
		{[]string{"events", "--since", "yesterday"}, nil, exitUsage, "2031-03-04T10:00:00Z"},
		{[]string{"events", "--seq", "1", "--since", "1h"}, nil, exitUsage, "exclude"},
		{[]string{"events"}, []string{"BRIDGE_NATS_LISTEN=127.0.0.1:1"}, exitUnreachable, "127.0.0.1:1"},
		{[]string{"state"}, []string{"BRIDGE_NATS_LISTEN=127.0.0.1:1"}, exitUnreachable, "start a bridge ("},
		{[]string{"events", "--tail", "x"}, nil, exitUsage, `invalid argument "x" for --tail: must be a whole number, 0 or more (mkio-bridge events --help`},
		{[]string{"demo", "--jobs", "many"}, nil, exitUsage, "for --jobs: must be a whole number ("},
		{[]string{"replay", "again", "--rate", "fast"}, nil, exitUsage, "for --rate: must be a number ("},
		{[]string{"wait", "jbo/p/t/j", "--for", "Finished"}, nil, exitUsage, "did you mean job?"},
		{[]string{"wait", "job/p", "--for", "Finished"}, nil, exitUsage, "resource missing"},
		{[]string{"wait", "job/p/t/%zz", "--for", "Finished"}, nil, exitUsage, "--output name"},
		{[]string{"state"}, []string{"BRIDGE_NATS_URL=nats://me:hunter2@127.0.0.1:1"}, exitUnreachable, "127.0.0.1:1"},
		{[]string{"run"}, []string{"BRIDGE_NATS_URL=nats://127.0.0.1:1"}, exitUnreachable, "BRIDGE_NATS_URL"},
		{[]string{"run"}, []string{"BRIDGE_NATS_URL=nats://127.0.0.1:1", "BRIDGE_NATS_CREDS=/gone"}, exitUsage, "BRIDGE_NATS_CREDS: open /gone"},
		{[]string{"events"}, []string{"BRIDGE_NATS_URL=,"}, exitUsage, "BRIDGE_NATS_URL names no server"},
		{[]string{"run"}, []string{"BRIDGE_TLS_CERT=/gone", "BRIDGE_TLS_KEY=/gone"}, exitUsage, "BRIDGE_TLS_CERT"},
		{[]string{"run"}, []string{"BRIDGE_LISTEN=:0"}, exitUsage, "BRIDGE_WEBHOOK_SECRETS"},
		{[]string{"config"}, []string{"BRIDGE_WEBHOOK_SECRETS=hunter2"}, exitOK, " [masked]\n"},
		{[]string{"config"}, []string{"BRIDGE_LOG_LEVL=info"}, exitUsage, "BRIDGE_LOG_LEVEL"},
		{[]string{"schema"}, nil, exitOK, "asyncapi.yaml\ncoverage.schema.json\nevent-headers.schema.json\nevent.schema.json\nevidence.schema.json\nnotify-rules.schema.json\nopenapi.yaml\nprogress-event.schema.json\nprogress.schema.json\nstate-changed.schema.json\nunapplied.schema.json\n"},
		{[]string{"schema", "event.schema.json"}, nil, exitOK, "urn:mkio-bridge:schema:event:1"},
		{[]string{"schema", "asyncapi.yaml"}, nil, exitOK, "asyncapi: 3.1.0"},
		{[]string{"schema", "event"}, nil, exitOK, "urn:mkio-bridge:schema:event:1"},
		{[]string{"schema", "asyncapi"}, nil, exitOK, "asyncapi: 3.1.0"},
		{[]string{"schema", "openapi"}, nil, exitOK, "openapi: 3.1.1"},
		{[]string{"schema", ""}, nil, exitUsage, "unknown schema"},
		{[]string{"schema", "../go.mod"}, nil, exitUsage, "unknown schema"},
		{[]string{"version"}, nil, exitOK, "mkio-bridge "},
		{[]string{"version", "-o", "json"}, nil, exitOK, `"version":`},
		{[]string{"config", "-o", "yaml"}, nil, exitOK, "BRIDGE_POLL_SWEEP: 1m0s\n"},
		{[]string{"healthcheck"}, []string{"BRIDGE_ADMIN_LISTEN=127.0.0.1:1"}, exitFailed, "127.0.0.1:1"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			if tt.args[0] == "run" { // the default addresses may be in use here
				t.Setenv("BRIDGE_LISTEN", "127.0.0.1:0")
				t.Setenv("BRIDGE_ADMIN_LISTEN", "127.0.0.1:0")
			}
			for _, setting := range tt.env {
				name, value, _ := strings.Cut(setting, "=")
				t.Setenv(name, value)
			}
			var out, errs bytes.Buffer
			code := run(t.Context(), tt.args, &out, &errs)
			stdout, stderr := out.String(), errs.String()
			if code != tt.code || !strings.Contains(stdout+stderr, tt.want) {
				t.Errorf("exit %d, want %d and %q:\n%s%s", code, tt.code, tt.want, stdout, stderr)
			}
			if strings.Contains(stdout+stderr, "hunter2") {
				t.Error("a secret is printed")
			}
		})
	}
}
