package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// newOtherMKIO starts a simulated MK.IO at its own address, with the default projects and some jobs.
func newOtherMKIO(t *testing.T, jobs int) (address string) {
	t.Helper()
	m := mkiofake.New(mkiofake.Config{ReadLimit: -1})
	for i := range jobs {
		key, err := lifecycle.NewKey(lifecycle.Job, mkiofake.VOD, "ladder-hd", fmt.Sprint("other-", i))
		if err != nil {
			t.Fatal(err)
		}
		m.Create(key, "Finished")
	}
	api := httptest.NewServer(m)
	t.Cleanup(api.Close)
	return api.URL
}

// usedStore returns a store with a log of the MK.IO at an address: a bridge without a token accepted one delivery.
func usedStore(t *testing.T, address string) (store string) {
	t.Helper()
	store = t.TempDir()
	b := openStore(t, store, func(c *config) { c.MkioURL, c.MkioToken = address, secret{} })
	if status := deliver(t, b, bridgetest.Delivery(t, "job-finished.finished.json")); status != 204 {
		t.Fatalf("status %d", status)
	}
	b.close()
	return store
}

// tryOpen opens a bridge on a store with the demo's settings, changed.
func tryOpen(t *testing.T, store string, change func(*config)) (*bridge, error) {
	t.Helper()
	conf := demoConfig(store)
	change(&conf)
	b, err := open(t.Context(), conf, slog.New(slog.DiscardHandler))
	if err == nil {
		t.Cleanup(b.close)
	}
	return b, err
}

func openStore(t *testing.T, store string, change func(*config)) *bridge {
	t.Helper()
	b, err := tryOpen(t, store, change)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// serveStore opens a bridge and serves it until the test ends or stop is called.
func serveStore(t *testing.T, store string, change func(*config)) (b *bridge, stop func()) {
	t.Helper()
	b = openStore(t, store, change)
	l, err := listen(t.Context(), b.config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- b.serve(ctx, l) }()
	stop = func() {
		cancel()
		if err := <-served; err != nil && ctx.Err() == nil {
			t.Error(err)
		}
		served <- nil
		b.close()
	}
	t.Cleanup(stop)
	return b, stop
}

// states counts resources by their recorded state.
func states(t *testing.T, b *bridge) map[string]int {
	t.Helper()
	count := map[string]int{}
	for e, err := range b.events.State(t.Context(), eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		count[e.Event.Data.State]++
	}
	return count
}

// As in the quick start of an old README: a delivery of app.mk.io, then the simulated MK.IO on the same store.
func TestLogOfAnotherMKIOIsRefusedAtStart(t *testing.T) {
	store := usedStore(t, "https://app.mk.io")
	other := newOtherMKIO(t, 300)
	t.Setenv("BRIDGE_STORE_DIR", store)
	t.Setenv("BRIDGE_MKIO_URL", other)
	for _, name := range []string{"BRIDGE_LISTEN", "BRIDGE_ADMIN_LISTEN", "BRIDGE_NATS_LISTEN"} {
		t.Setenv(name, "127.0.0.1:0")
	}
	advice := []string{"the log belongs to https://app.mk.io", other, "BRIDGE_MKIO_URL", "BRIDGE_STORE_DIR", "BRIDGE_SUBJECT_PREFIX", "BRIDGE_MKIO_ADOPT=address", "BRIDGE_MKIO_ADOPT=all"}
	wantOutput(t, exitUsage, advice, "run") // events have a source address, also when nothing is polled
	t.Setenv("BRIDGE_MKIO_TOKEN", "REDACT-ME")
	wantOutput(t, exitUsage, advice, "run")

	deleteIdentityNote(t, store)
	wantOutput(t, exitUsage, advice, "run") // the sources of its events still reveal its MK.IO
	b := openStore(t, store, func(c *config) { c.MkioURL = "HTTPS://APP.mk.io:443/" })
	if got := states(t, b); got["Finished"] != 1 || len(got) != 1 {
		t.Errorf("the log has %v", got)
	}
}

// deleteIdentityNote removes the identity from a store: older versions did not record it.
func deleteIdentityNote(t *testing.T, store string) {
	t.Helper()
	b := openStore(t, store, func(*config) {})
	defer b.close()
	notes, err := b.js.KeyValue(t.Context(), b.names.NotesBucket())
	if err == nil {
		err = notes.Purge(t.Context(), "identity")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// On a new log a webhook may be recorded before its project is polled for the first time. The project is still the log's own,
// or resources that are gone there would never be recorded as Deleted.
func TestDeletionOfWhatAWebhookRecordedBeforeTheFirstPoll(t *testing.T) {
	address := newOtherMKIO(t, 3)
	b, _ := serveStore(t, usedStore(t, address), func(c *config) { c.MkioURL = address })
	bridgetest.Eventually(t, "the job that MK.IO does not have is Deleted", func() bool {
		got := states(t, b)
		return got["Deleted"] == 1 && got["Finished"] == 3
	})
}

func TestAdoptAddressDeletesNothing(t *testing.T) {
	store := usedStore(t, "https://app.mk.io")
	other := newOtherMKIO(t, 300)
	b, stop := serveStore(t, store, func(c *config) { c.MkioURL, c.MkioAdopt = other, "address" })
	bridgetest.Eventually(t, "the other's jobs are recorded", func() bool { return states(t, b)["Finished"] == 301 })
	bridgetest.Eventually(t, "the project is unknown", func() bool {
		return strings.Contains(metricsOf(t, b), `mkio_bridge_poll_identity_unknown{project="aurora-vod"} 1`)
	})
	if got := states(t, b); got["Deleted"] > 0 {
		t.Errorf("the log has %v", got)
	}
	stop()

	if _, err := tryOpen(t, store, func(c *config) { c.MkioURL = other }); err != nil {
		t.Errorf("the adopted address is refused: %v", err)
	}
}

// metricsOf returns the bridge's /metrics.
func metricsOf(t *testing.T, b *bridge) string {
	t.Helper()
	return serveRequest(b.adminRoutes(true), "GET", "/metrics", nil).Body.String()
}

func TestAdoptAllTakesOverTheLog(t *testing.T) {
	store := usedStore(t, "https://app.mk.io")
	other := newOtherMKIO(t, 300)
	b, stop := serveStore(t, store, func(c *config) { c.MkioURL, c.MkioAdopt = other, "all" })
	bridgetest.Eventually(t, "resources that the other MK.IO does not have are Deleted", func() bool {
		got := states(t, b)
		return got["Deleted"] == 1 && got["Finished"] == 300
	})
	last, _, err := b.events.Latest(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := event.Decode(last[0].Payload); err != nil || !strings.HasPrefix(e.Source(), other+"/") {
		t.Errorf("source %s, %v", e.Source(), err)
	}
	stop()

	_, err = tryOpen(t, store, func(*config) {}) // the former MK.IO is refused from then on
	if mismatch := usageAdvice(err); mismatch == "" || !strings.Contains(mismatch, "the log belongs to "+other) {
		t.Errorf("error %v", err)
	}
}

// usageAdvice returns the text and advice of a usageError; "" for any other error.
func usageAdvice(err error) string {
	if wrong, ok := errors.AsType[usageError](err); ok {
		return withAdvice(wrong)
	}
	return ""
}

// tokenOf returns an API token of an organisation.
func tokenOf(organisation string) secret {
	var s secret
	_ = s.Decode("REDACT-ME." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"organizationId":%q}`, organisation)) + ".x") // it cannot fail
	return s
}

func TestTokenOfAnotherOrganisationIsRefusedAtStart(t *testing.T) {
	store := t.TempDir()
	openStore(t, store, func(c *config) { c.MkioToken = tokenOf("org-1") }).close()
	_, err := tryOpen(t, store, func(c *config) { c.MkioToken = tokenOf("org-2") })
	for _, want := range []string{"org-1", "org-2", "BRIDGE_MKIO_TOKEN", "BRIDGE_MKIO_ADOPT=all"} {
		if !strings.Contains(usageAdvice(err), want) {
			t.Errorf("%v lacks %s", err, want)
		}
	}
	openStore(t, store, func(c *config) { c.MkioToken, c.MkioAdopt = tokenOf("org-2"), "all" }).close()
	openStore(t, store, func(c *config) { c.MkioToken = tokenOf("org-2") }).close()
	openStore(t, store, func(c *config) { c.MkioToken = secret{} }).close() // without a token the organisation is unknown
}

func TestTwoBridgesOnOneNATSNeedTheSameMKIO(t *testing.T) {
	url := brokertest.StartNATS(t, "")
	openStore(t, "", func(c *config) { c.NatsURL = servers(url) })
	_, err := tryOpen(t, "", func(c *config) { c.NatsURL, c.MkioURL = servers(url), "https://staging.mk.io" })
	if usageAdvice(err) == "" {
		t.Errorf("error %v", err)
	}
	openStore(t, "", func(c *config) {
		c.NatsURL, c.MkioURL, c.SubjectPrefix = servers(url), "https://staging.mk.io", "staging"
	})
}

func TestDoctorFindsAnotherMKIO(t *testing.T) {
	newInstallation(t)
	b := openStore(t, "", func(c *config) { c.NatsURL = environmentConfig(t).NatsURL })
	wantOutput(t, exitFailed, []string{"FAILED   the log's MK.IO: another MK.IO: the log belongs to https://app.mk.io", "→ correct BRIDGE_MKIO_URL"}, "doctor")

	note := identity.Note{Address: identity.Address(environmentConfig(t).MkioURL), Projects: map[string]string{"aurora-vod": "p-0"}}
	notes, err := b.js.KeyValue(t.Context(), b.names.NotesBucket())
	if err != nil {
		t.Fatal(err)
	}
	putNote(t, notes, note)
	wantOutput(t, exitFailed, []string{"ok       the log's MK.IO:", "FAILED   identity of project aurora-vod: another project named aurora-vod", "MK.IO returned id p-1", "→ the project was recreated"}, "doctor")

	putNote(t, notes, note.WithProject("aurora-vod", "p-1"))
	t.Setenv("BRIDGE_MKIO_ADOPT", "all")
	wantOutput(t, exitFailed, []string{"warning  the log's MK.IO:", "→ unset BRIDGE_MKIO_ADOPT", "ok       identity of project aurora-vod: same as in the log, p-1"}, "doctor")
}

// environmentConfig returns the settings of the environment.
func environmentConfig(t *testing.T) config {
	t.Helper()
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func putNote(t *testing.T, notes jetstream.KeyValue, want identity.Note) {
	t.Helper()
	if _, _, err := identity.NewStore(notes).Change(t.Context(), func(identity.Note) (identity.Note, error) { return want, nil }); err != nil {
		t.Fatal(err)
	}
}
