package publish_test

import (
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/streams"
)

// onServer returns a fixture on a server, and creates the streams that are missing.
func onServer(t *testing.T, server brokertest.Server) (*fixture, *nats.Conn) {
	t.Helper()
	nc, js := server.Connect()
	if err := streams.Ensure(t.Context(), js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
		t.Fatal(err)
	}
	return &fixture{t: t, server: server, js: js}, nc
}

// created returns when the log's stream was created.
func (f *fixture) created() time.Time {
	f.t.Helper()
	info, err := eventlog.New(f.js, names).Stream(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return info.Created
}

func TestLogCreationTimeSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	server := brokertest.StartIn(t, dir)
	f, _ := onServer(t, server)
	before := f.created()
	server.Shutdown()
	f, _ = onServer(t, brokertest.StartIn(t, dir))
	if after := f.created(); !after.Equal(before) {
		t.Errorf("created at %s, after a restart at %s", before, after)
	}
}

// A restored log continues from an earlier sequence, so that another occurrence may get the transition and state of one that
// was lost. It gets an id of its own, whether or not the restore preserves the log's identity; the same occurrence gets its
// former id.
func TestIDsAfterAnOlderBackupWasRestored(t *testing.T) {
	news, clock := key(t, lifecycle.LiveChannel, "news"), key(t, lifecycle.LiveChannel, "clock")
	store, backup := t.TempDir(), t.TempDir()
	server := brokertest.StartIn(t, store)
	f, nc := onServer(t, server)
	p := f.loaded()
	f.want(p, delivery(news, "Starting", 1), lifecycle.Changed)
	f.want(p, delivery(clock, "Starting", 1), lifecycle.Changed)
	identity, root := f.created(), f.verified(nil)
	log, state := brokertest.BackUp(t, nc, names.EventStream()), brokertest.BackUp(t, nc, names.StateStream())
	server.Shutdown()
	if err := os.CopyFS(backup, os.DirFS(store)); err != nil {
		t.Fatal(err)
	}
	f, _ = onServer(t, brokertest.StartIn(t, store))
	p = f.loaded()
	f.want(p, polledBehind(news, "Running", 2, 1), lifecycle.Changed)
	f.want(p, delivery(clock, "Running", 2), lifecycle.Changed)
	lost := f.ids()

	tests := []struct {
		name      string
		restore   func(t *testing.T) brokertest.Server
		preserves bool // the identity of the log, as measured with nats-server 2.15.2
	}{
		{"a copy of the store", func(t *testing.T) brokertest.Server {
			t.Helper()
			return brokertest.StartIn(t, backup)
		}, true},
		{"a backup over NATS, on another server", func(t *testing.T) brokertest.Server {
			t.Helper()
			server := brokertest.Start(t)
			nc, _ := server.Connect()
			log.Restore(t, nc, names.EventStream())
			state.Restore(t, nc, names.StateStream())
			return server
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, _ := onServer(t, tt.restore(t))
			if is := f.created(); is.Equal(identity) != tt.preserves {
				t.Errorf("the log was created at %s, now at %s", identity, is)
			}
			f.verified(&root)
			p := f.loaded()
			f.want(p, polledBehind(news, "Running", 9, 1), lifecycle.Changed)
			f.want(p, delivery(clock, "Running", 2), lifecycle.Changed)
			f.verified(&root)
			restored := f.ids()
			if len(lost) != 4 || len(restored) != 4 || restored[0] != lost[0] || restored[1] != lost[1] {
				t.Fatalf("ids %v, after the restore %v", lost, restored)
			}
			if restored[2] == lost[2] {
				t.Errorf("two occurrences have id %s", lost[2])
			}
			if restored[3] != lost[3] {
				t.Errorf("one occurrence had id %s and has %s", lost[3], restored[3])
			}
		})
	}
}

// polledBehind is polled, compared with the event at a sequence.
func polledBehind(k lifecycle.Key, state string, minute int, sequence uint64) lifecycle.Observation {
	o := polled(k, state, minute)
	o.Basis = &sequence
	return o
}
