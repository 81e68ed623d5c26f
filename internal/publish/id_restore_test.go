package publish_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
)

// onServer is a fixture on a server whose streams are made, or are there already.
func onServer(t *testing.T, server brokertest.Server) (*fixture, *nats.Conn) {
	t.Helper()
	nc, js := server.Connect()
	if err := publish.Ensure(t.Context(), js, publish.Streams{Names: names, Replicas: 1, Create: true}); err != nil {
		t.Fatal(err)
	}
	return &fixture{t: t, server: server, js: js}, nc
}

// created is when the log's stream was created, as its server says.
func (f *fixture) created() time.Time {
	f.t.Helper()
	info, err := eventlog.New(f.js, names).Stream(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return info.Created
}

func TestTheIdentityOfTheLogOutlivesARestart(t *testing.T) {
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

// A restore may keep the time at which the stream was created or not: what is written behind the backup has an id of its own
// in both cases, and an occurrence that is recorded again has the id it had.
func TestIDsAfterAnOlderBackupWasRestored(t *testing.T) {
	news, clock := key(t, lifecycle.LiveChannel, "news"), key(t, lifecycle.LiveChannel, "clock")
	f, nc := onServer(t, brokertest.Start(t))
	p := f.loaded()
	f.want(p, told(news, "Starting", 1), lifecycle.Changed)
	f.want(p, told(clock, "Starting", 1), lifecycle.Changed)
	identity, root := f.created(), f.verified(nil)
	streams := []string{names.EventStream(), names.StateStream()}
	var backups []brokertest.Backup
	for _, stream := range streams {
		backups = append(backups, brokertest.BackUp(t, nc, stream))
	}
	f.want(p, polledAfter(news, "Running", 2, 1), lifecycle.Changed)
	f.want(p, told(clock, "Running", 2), lifecycle.Changed)
	lost := f.ids()

	server := brokertest.Start(t)
	nc, _ = server.Connect()
	for i, stream := range streams {
		backups[i].Restore(t, nc, stream)
	}
	f, _ = onServer(t, server)
	t.Logf("created %s, restored %s", identity, f.created())
	f.verified(&root)
	p = f.loaded()
	f.want(p, polledAfter(news, "Running", 9, 1), lifecycle.Changed)
	f.want(p, told(clock, "Running", 2), lifecycle.Changed)
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
}

// polledAfter is polled behind a sequence of the log.
func polledAfter(k lifecycle.Key, state string, minute int, sequence uint64) lifecycle.Observation {
	o := polled(k, state, minute)
	o.Basis = &sequence
	return o
}
