package main

import (
	"log/slog"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
)

// sizeLimitedServer starts a server whose account requires a size limit on each stream.
func sizeLimitedServer(t *testing.T) string {
	t.Helper()
	return brokertest.StartNATS(t, `accounts { APP { users: [{user: app, password: "REDACT-ME"}], jetstream: { max_file: 1G, max_mem: 64M, max_bytes_required: true } } }`)
}

// An account that requires max_bytes gets streams with a limit, or an error that says which setting gives them one.
func TestAccountThatRequiresSizeLimits(t *testing.T) {
	url := sizeLimitedServer(t)
	useNATSUser(t, url, "app")
	wantOutput(t, exitFailed, []string{"stream MKIO_EVENTS: ", "max bytes", "BRIDGE_STREAM_MAX_BYTES"}, "run")
	wantOutput(t, exitFailed, []string{"FAILED   stream MKIO_EVENTS: does not exist, and cannot be created without a size limit", "→ the account requires", "BRIDGE_STREAM_MAX_BYTES"}, "doctor")

	t.Setenv("BRIDGE_STREAM_MAX_BYTES", "2GiB")
	wantOutput(t, exitFailed, []string{"stream MKIO_EVENTS: ", "BRIDGE_STREAM_MAX_BYTES", "come to"}, "run")

	t.Setenv("BRIDGE_STREAM_MAX_BYTES", "100MiB")
	conf, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	conf.MkioToken = secret{}
	b, err := open(t.Context(), conf, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	if status := deliver(t, b, bridgetest.Delivery(t, "job-started.json")); status != 204 {
		t.Errorf("status %d", status)
	}
	if err := b.ready(t.Context()); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]int64{
		"MKIO_EVENTS": 100 << 20, "KV_mkio_state": 100 << 20, "MKIO_UNAPPLIED": 100 << 20, "MKIO_AUDIT": 100 << 20,
		"KV_mkio_lease": 64 << 20, "KV_mkio_bridge": 64 << 20,
	} {
		s, err := b.js.Stream(t.Context(), name)
		if err != nil {
			t.Error(err)
		} else if got := s.CachedInfo().Config.MaxBytes; got != want {
			t.Errorf("%s is limited to %d bytes, want %d", name, got, want)
		}
	}
	out, _, _ := runCommand(t, "doctor")
	if strings.Contains(out, "FAILED   stream") || !strings.Contains(out, "ok       publishing") {
		t.Errorf("doctor: %s", out)
	}
}

// The bridge does not change the limits of existing streams, whatever the setting is.
func TestExistingSizeLimitIsUnchanged(t *testing.T) {
	url := brokertest.StartNATS(t, "")
	createStreams(t, url)
	conf := demoConfig(t.TempDir())
	conf.NatsURL, conf.StreamMaxBytes = servers(url), 1<<30
	b, err := open(t.Context(), conf, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	s, err := b.js.Stream(t.Context(), "MKIO_EVENTS")
	if err != nil || s.CachedInfo().Config.MaxBytes != -1 {
		t.Errorf("%+v, %v", s.CachedInfo().Config, err)
	}
}
