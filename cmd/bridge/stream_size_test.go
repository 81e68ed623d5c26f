package main

import (
	"log/slog"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
)

// sizedServer has an account that requires a limit of size of each stream.
func sizedServer(t *testing.T) string {
	t.Helper()
	return brokertest.StartNATS(t, `accounts { APP { users: [{user: app, password: "REDACT-ME"}], jetstream: { max_file: 1G, max_mem: 64M, max_bytes_required: true } } }`)
}

// An account that requires max_bytes gets streams with a limit, or an error that says which setting gives them one.
func TestAnAccountThatRequiresLimitsOfSize(t *testing.T) {
	url := sizedServer(t)
	asUser(t, url, "app")
	wantSaid(t, exitFailed, []string{"stream MKIO_EVENTS: ", "max bytes", "BRIDGE_STREAM_MAX_BYTES"}, "run")
	wantSaid(t, exitFailed, []string{"FAILED   stream MKIO_EVENTS: it does not exist, and cannot be made without a limit of size", "→ the account requires", "BRIDGE_STREAM_MAX_BYTES"}, "doctor")

	t.Setenv("BRIDGE_STREAM_MAX_BYTES", "2GiB")
	wantSaid(t, exitFailed, []string{"stream MKIO_EVENTS: ", "BRIDGE_STREAM_MAX_BYTES", "come to"}, "run")

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
			t.Errorf("%s has room for %d bytes, want %d", name, got, want)
		}
	}
	out, _, _ := say(t, "doctor")
	if strings.Contains(out, "FAILED   stream") || !strings.Contains(out, "ok       publishing") {
		t.Errorf("doctor: %s", out)
	}
}

// Limits of the streams are the operator's to choose, whatever the setting says.
func TestALimitOfSizeThatExistsIsLeftAlone(t *testing.T) {
	url := brokertest.StartNATS(t, "")
	makeStreams(t, url)
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
