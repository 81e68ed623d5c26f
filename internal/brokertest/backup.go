package brokertest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A Backup is what `nats backup stream` makes of a stream: its configuration and state, and its content.
type Backup struct {
	Config json.RawMessage `json:"config"`
	State  json.RawMessage `json:"state"`
	chunks [][]byte
}

// askAPI requests something of JetStream's API, and fails the test when it is refused.
func askAPI(t testing.TB, nc *nats.Conn, subject string, body, answer any) {
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

// BackUp takes a backup of a stream over NATS.
func BackUp(t testing.TB, nc *nats.Conn, stream string) (b Backup) {
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

// Restore makes a stream of a backup.
func (b Backup) Restore(t testing.TB, nc *nats.Conn, stream string) {
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
