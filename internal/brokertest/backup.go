package brokertest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A Backup is a backup of a stream as `nats backup stream` makes it: configuration, state and content.
type Backup struct {
	Config json.RawMessage `json:"config"`
	State  json.RawMessage `json:"state"`
	chunks [][]byte
}

// requestAPI sends a request to JetStream's API, and fails the test on an error.
func requestAPI(t testing.TB, nc *nats.Conn, subject string, body, response any) {
	t.Helper()
	request, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := nc.RequestWithContext(t.Context(), subject, request)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	var refused struct{ Error *jetstream.APIError }
	if err := json.Unmarshal(reply.Data, &refused); err != nil || refused.Error != nil {
		t.Fatalf("%s: %v, %v", subject, refused.Error, err)
	}
	if err := json.Unmarshal(reply.Data, response); err != nil {
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
	requestAPI(t, nc, "$JS.API.STREAM.SNAPSHOT."+stream, map[string]any{"deliver_subject": inbox}, &b)
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
			continue // the server waits for a reply to some chunks only
		}
		if err := m.Respond(nil); err != nil {
			t.Fatal(err)
		}
	}
}

// Restore creates a stream from a backup.
func (b Backup) Restore(t testing.TB, nc *nats.Conn, stream string) {
	t.Helper()
	var to struct {
		Subject string `json:"deliver_subject"`
	}
	requestAPI(t, nc, "$JS.API.STREAM.RESTORE."+stream, b, &to)
	for _, chunk := range append(b.chunks, nil) { // an empty chunk ends the restore; its reply comes when the stream is complete
		if _, err := nc.Request(to.Subject, chunk, 30*time.Second); err != nil {
			t.Fatal(err)
		}
	}
}
