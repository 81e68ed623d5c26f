package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
)

// A streamBackup is what `nats backup stream` makes of a stream: its configuration and state, and its content.
type streamBackup struct {
	Config json.RawMessage `json:"config"`
	State  json.RawMessage `json:"state"`
	chunks [][]byte
}

// askAPI requests something of JetStream's API, and fails the test when it is refused.
func askAPI(t *testing.T, nc *nats.Conn, subject string, body, answer any) {
	t.Helper()
	asked, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := nc.RequestWithContext(t.Context(), subject, asked)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	var refused struct{ Error *jetstream.APIError }
	if err := json.Unmarshal(reply.Data, &refused); err != nil || refused.Error != nil {
		t.Fatalf("%s: %v, %v", subject, refused.Error, err)
	}
	if err := json.Unmarshal(reply.Data, answer); err != nil {
		t.Fatal(err)
	}
}

// backUp takes a backup of a stream over NATS.
func backUp(t *testing.T, nc *nats.Conn, stream string) (b streamBackup) {
	t.Helper()
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	askAPI(t, nc, "$JS.API.STREAM.SNAPSHOT."+stream, map[string]any{"deliver_subject": inbox}, &b)
	for {
		m, err := sub.NextMsgWithContext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Data) == 0 {
			return b
		}
		b.chunks = append(b.chunks, m.Data)
		if m.Reply == "" {
			continue // the server does not wait after each
		}
		if err := m.Respond(nil); err != nil {
			t.Fatal(err)
		}
	}
}

// restore makes a stream of a backup.
func (b streamBackup) restore(t *testing.T, nc *nats.Conn, stream string) {
	t.Helper()
	var to struct {
		Subject string `json:"deliver_subject"`
	}
	askAPI(t, nc, "$JS.API.STREAM.RESTORE."+stream, b, &to)
	for _, chunk := range append(b.chunks, nil) { // an empty one is the end, which is answered when all is there
		if _, err := nc.Request(to.Subject, chunk, 30*time.Second); err != nil {
			t.Fatal(err)
		}
	}
}

// What an embedded server stored is restored on somebody else's NATS: the same root, and the bridge goes on behind it.
func TestTheLogMovesFromTheEmbeddedServer(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	p := startBridge(t, "BRIDGE_STORE_DIR="+store)
	for _, name := range []string{"a", "b", "c"} {
		if status := p.deliver(jobStarted(t, name)); status != http.StatusNoContent {
			t.Fatalf("status %d", status)
		}
	}
	if status := p.deliver([]byte("{}")); status != http.StatusBadRequest {
		t.Fatalf("status %d", status)
	}
	awaitResource(t, p, "c")
	root, _ := p.root()
	p.stop()

	old, _ := brokertest.StartIn(t, store).Connect()
	g := startGuarded(t, asItIs)
	for _, stream := range []string{"MKIO_EVENTS", "KV_mkio_state", "MKIO_UNAPPLIED", "MKIO_AUDIT", "KV_mkio_bridge"} {
		backUp(t, old, stream).restore(t, g.admin, stream)
	}
	env, reader := g.env("mkio-bridge", "bridge"), g.env("mkio-reader", "reader")
	if out, errs, code := runCommand(t, reader, "verify", "--root", root); code != exitOK {
		t.Errorf("the root is another: exit %d: %s%s", code, out, errs)
	}
	q := startBridge(t, env...)
	finished := bytes.ReplaceAll(fixture(t, "job-finished.finished.json"), []byte("ep-0417"), []byte("a"))
	for _, body := range [][]byte{jobStarted(t, "a"), finished} { // what it has, and what comes next
		if status := q.deliver(body); status != http.StatusNoContent {
			t.Errorf("status %d", status)
		}
	}
	if status := q.deliver([]byte("{}")); status != http.StatusBadRequest { // which is kept already
		t.Errorf("status %d", status)
	}
	if out, errs, code := runCommand(t, reader, "verify", "--root", root); code != exitOK {
		t.Errorf("what was added does not go on from there: exit %d: %s%s", code, out, errs)
	}
	if log := readLog(t, reader); len(log) != 4 {
		t.Errorf("the log holds %v", log)
	}
	awaitFinished(t, g)
	q.stop()
	g.unhindered()
}

// awaitFinished returns when the state bucket, which was restored as well, follows the log again.
func awaitFinished(t *testing.T, g *guardedNATS) {
	t.Helper()
	for g.t.Context().Err() == nil {
		out, errs, code := runCommand(t, g.env("mkio-reader", "reader"), "state", "--name", "a", "--state", "finished")
		if code != exitOK {
			t.Fatalf("state: exit %d: %s", code, errs)
		}
		if out != "" {
			return
		}
	}
}
