//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
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
	p := bridgetest.StartBridge(t, "BRIDGE_STORE_DIR="+store)
	for _, name := range []string{"a", "b", "c"} {
		mustDeliver(t, p, jobStarted(t, name))
	}
	if status := p.Deliver([]byte("{}")); status != http.StatusBadRequest {
		t.Fatalf("status %d", status)
	}
	awaitState(t, p, "c")
	root, _ := verifyRoot(t, p)
	p.StopWell()

	old, _ := brokertest.StartIn(t, store).Connect()
	g := startGuarded(t)
	for _, stream := range []string{"MKIO_EVENTS", "KV_mkio_state", "MKIO_UNAPPLIED", "MKIO_AUDIT", "KV_mkio_bridge"} {
		backUp(t, old, stream).restore(t, g.admin, stream)
	}
	env, reader := g.env("mkio-bridge", "bridge"), g.env("mkio-reader", "reader")
	if out, errs, code := bridgetest.Run(t, reader, "verify", "--root", root); code != exitOK {
		t.Errorf("the root is another: exit %d: %s%s", code, out, errs)
	}
	q := bridgetest.StartBridge(t, env...)
	for _, body := range [][]byte{jobStarted(t, "a"), bridgetest.DeliveryOf(t, "job-finished.finished.json", "a")} { // a duplicate, and the next state
		if status := q.Deliver(body); status != http.StatusNoContent {
			t.Errorf("status %d", status)
		}
	}
	if status := q.Deliver([]byte("{}")); status != http.StatusBadRequest { // which is stored already
		t.Errorf("status %d", status)
	}
	if out, errs, code := bridgetest.Run(t, reader, "verify", "--root", root); code != exitOK {
		t.Errorf("what was added does not go on from there: exit %d: %s%s", code, out, errs)
	}
	if log := readLog(t, reader); len(log) != 4 {
		t.Errorf("the log holds %v", log)
	}
	awaitStateOutput(t, reader, "--name", "a", "--state", "finished") // the bucket was restored too, and follows the log again
	q.StopWell()
	g.checkNothingRefused()
}
