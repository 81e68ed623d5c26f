package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/doctor"
)

func TestDoctorOfAHealthyInstallation(t *testing.T) {
	m := newInstallation(t)
	m.live = `{"name":"e1","properties":{"resourceState":"Running"}}`
	wantOutput(t, exitOK, nil, "webhook", "register")
	m.history = []map[string]any{{"created": time.Now(), "status": "Sent", "type": "MediaKind.JobFinished", "source": tinyProject + "/transforms/t/jobs/j"}}
	out, _, code := runCommand(t, "doctor", "--output", "json")
	if code != exitOK {
		t.Errorf("exit code %d", code)
	}
	checks := map[string]bool{}
	for line := range strings.Lines(out) {
		var f finding
		if err := json.Unmarshal([]byte(line), &f); err != nil || f.Grade != string(doctor.OK) {
			t.Errorf("finding %s, %v", line, err)
		}
		checks[f.Check] = true
	}
	for _, check := range []string{
		"configuration", "webhook URL", "delivery to the webhook URL", "NATS", "JetStream", "stream MKIO_EVENTS", "stream KV_mkio_bridge", "publishing", "MK.IO", "API token", "projects",
		"right to read job in aurora-vod", "right to read live-output in aurora-vod", "right to read scheduled-operation in aurora-vod",
		"webhook rule mkio-bridge in aurora-vod", "deliveries of webhook rule mkio-bridge in aurora-vod",
	} {
		if !checks[check] {
			t.Errorf("%s was not checked: %s", check, out)
		}
	}
}

func TestDoctorFindsFaults(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(m *tinyMKIO)
		code  int
		want  []string
	}{
		{
			"the configuration", func(m *tinyMKIO) { m.t.Setenv("BRIDGE_SINK", "x"); m.t.Setenv("BRIDGE_LISTN", "x") },
			exitFailed,
			[]string{"FAILED   configuration: BRIDGE_SINK", "FAILED   configuration: BRIDGE_LISTN", "2 of 2 checks FAILED"},
		},
		{
			"no NATS", func(m *tinyMKIO) { m.t.Setenv("BRIDGE_NATS_URL", "nats://127.0.0.1:1") },
			exitFailed,
			[]string{"FAILED   NATS:", "ok       API token:"},
		},
		{
			"no embedded NATS", func(m *tinyMKIO) {
				m.t.Setenv("BRIDGE_NATS_URL", "")
				m.t.Setenv("BRIDGE_NATS_LISTEN", "127.0.0.1:1")
			},
			exitFailed,
			[]string{"FAILED   NATS:", "→ start the bridge"},
		},
		{
			"streams that are not created yet", func(m *tinyMKIO) { m.t.Setenv("BRIDGE_SUBJECT_PREFIX", "acme") },
			exitOK,
			[]string{"warning  stream ACME_EVENTS: does not exist", "→ start the bridge"},
		},
		{
			"missing streams with BRIDGE_STREAM_MANAGE=verify", func(m *tinyMKIO) {
				m.t.Setenv("BRIDGE_SUBJECT_PREFIX", "acme")
				m.t.Setenv("BRIDGE_STREAM_MANAGE", "verify")
			},
			exitFailed,
			[]string{"FAILED   stream ACME_EVENTS: does not exist", "BRIDGE_STREAM_MANAGE=create"},
		},
		{
			"no MK.IO", func(m *tinyMKIO) { m.t.Setenv("BRIDGE_MKIO_URL", "http://127.0.0.1:1") },
			exitFailed,
			[]string{"FAILED   MK.IO:", "→ check BRIDGE_MKIO_URL"},
		},
		{
			"no token", func(*tinyMKIO) { _ = os.Unsetenv("BRIDGE_MKIO_TOKEN") }, // t.Setenv in newInstallation restores it
			exitOK,
			[]string{"warning  API token: not set"},
		},
		{
			"a token that ended", func(m *tinyMKIO) { m.t.Setenv("BRIDGE_MKIO_TOKEN", tokenUntil(time.Now().Add(-time.Hour))) },
			exitFailed,
			[]string{"FAILED   API token: expired"},
		},
		{
			"a token that ends soon", func(m *tinyMKIO) { m.t.Setenv("BRIDGE_MKIO_TOKEN", tokenUntil(time.Now().Add(time.Hour))) },
			exitOK,
			[]string{"warning  API token: expires soon"},
		},
		{
			"a token that is refused", func(m *tinyMKIO) { m.t.Setenv("BRIDGE_MKIO_TOKEN", "other") },
			exitFailed,
			[]string{"FAILED   projects:", "401", "→ the token is wrong"},
		},
		{
			"a project that is not there", func(m *tinyMKIO) { m.t.Setenv("BRIDGE_PROJECTS", "nowhere,aurora-vod") },
			exitFailed,
			[]string{"FAILED   project nowhere:", "ok       project aurora-vod:"},
		},
		{
			"a right", func(m *tinyMKIO) { m.denied = []string{"media/jobs"} },
			exitFailed,
			[]string{"FAILED   right to read job in aurora-vod", "→ give the token ams.job.get", "ok       right to read asset"},
		},
		{
			"a right below", func(m *tinyMKIO) {
				m.live = `{"name":"e1","properties":{"resourceState":"Running"}}`
				m.denied = []string{"media/liveEvents/e1/"}
			},
			exitFailed,
			[]string{"FAILED   right to read live-output in aurora-vod", "ams.liveeventoutput.get"},
		},
		{
			"the right to rules", func(m *tinyMKIO) { m.denied = []string{"webhook/"} },
			exitOK,
			[]string{"warning  webhook rule mkio-bridge in aurora-vod", "webhooks.config.get"},
		},
		{
			"no rule", func(m *tinyMKIO) { delete(m.rules, "mkio-bridge") },
			exitFailed,
			[]string{"FAILED   webhook rule mkio-bridge in aurora-vod: no rule", "→ mkio-bridge webhook register"},
		},
		{
			"a rule with another URL", func(m *tinyMKIO) { m.rules["mkio-bridge"]["url"] = "https://other.test/REDACT-ME" },
			exitFailed,
			[]string{"delivers to another URL"},
		},
		{
			"a disabled rule", func(m *tinyMKIO) { m.rules["mkio-bridge"]["enabled"] = false },
			exitOK,
			[]string{"warning  webhook rule mkio-bridge in aurora-vod: differs from the configuration: enabled"},
		},
		{
			"another secret", func(m *tinyMKIO) { m.t.Setenv("BRIDGE_WEBHOOK_SECRETS", "REDACT-ME-else") },
			exitOK,
			[]string{"secret changed"},
		},
		{
			"a rule too many", func(m *tinyMKIO) { m.rules["twin"] = m.rules["mkio-bridge"] },
			exitOK,
			[]string{"rule twin delivers to the same URL"},
		},
		{
			"deliveries that fail", func(m *tinyMKIO) {
				m.history = []map[string]any{{"created": time.Now(), "status": "Failed", "type": "MediaKind.JobFinished", "source": "/x"}}
			},
			exitFailed,
			[]string{"0 sent, 1 failed", "the last one failed"},
		},
		{
			"no public URL", func(m *tinyMKIO) { m.t.Setenv("BRIDGE_WEBHOOK_URL", "") },
			exitOK,
			[]string{"warning  webhook URL: not set", "ok       webhook rule"},
		},
		{
			"a private URL", func(m *tinyMKIO) { m.t.Setenv("BRIDGE_WEBHOOK_URL", "http://10.0.0.1") },
			exitFailed,
			[]string{"warning  webhook URL: 10.0.0.1"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newInstallation(t)
			wantOutput(t, exitOK, nil, "webhook", "register")
			tt.spoil(m)
			wantOutput(t, tt.code, tt.want, "doctor")
		})
	}
}

func TestDoctorWritesNothing(t *testing.T) {
	m := newInstallation(t)
	wantOutput(t, exitFailed, nil, "doctor")
	if m.puts != 0 {
		t.Error("it put a rule")
	}
	if out, errs, code := runCommand(t, "events"); code != exitOK || out != "" {
		t.Errorf("the log has %s (%d, %s)", out, code, errs)
	}
}

func TestDoctorWithTheEmbeddedServer(t *testing.T) {
	newInstallation(t)
	b := openForTest(t)
	t.Setenv("BRIDGE_NATS_URL", "")
	t.Setenv("BRIDGE_NATS_LISTEN", b.embedded.Addr())
	wantOutput(t, exitFailed, []string{"ok       NATS:", "ok       JetStream:", "ok       stream KV_mkio_state:", "ok       publishing:"}, "doctor")
}

func TestDoctorFindsMissingPublishPermission(t *testing.T) {
	newInstallation(t)
	server := brokertest.StartNATS(t, `authorization {users: [{user: me, password: "REDACT-ME", permissions: {publish: {deny: ["mkio.>"]}}}]}`)
	createStreams(t, server, nats.UserInfo("me", "REDACT-ME"))
	t.Setenv("BRIDGE_NATS_URL", server)
	t.Setenv("BRIDGE_NATS_USER", "me")
	t.Setenv("BRIDGE_NATS_PASSWORD", "REDACT-ME")
	wantOutput(t, exitFailed, []string{"ok       stream MKIO_EVENTS", "FAILED   publishing:", "violation", "→ let the user publish to mkio.>"}, "doctor")
}
