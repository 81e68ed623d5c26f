package notify

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

// The program does this before it starts.
func init() { LimitDefaultClient() }

// A received is a request as a receiver got it.
type received struct {
	method string
	path   string
	header http.Header
	body   []byte
}

// A testReceiver is a real HTTP server that records what it receives.
type testReceiver struct {
	*httptest.Server
	requests chan received
}

// newReceiver starts a receiver; respond nil: 204.
func newReceiver(t testing.TB, respond http.HandlerFunc) *testReceiver {
	t.Helper()
	r := &testReceiver{requests: make(chan received, 1000)}
	r.Server = httptest.NewServer(r.handler(respond))
	t.Cleanup(r.Close)
	return r
}

func (r *testReceiver) handler(respond http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.requests <- received{q.Method, q.URL.Path, q.Header, body}
		if respond == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		respond(w, q)
	})
}

// next returns the next request. It must have been received.
func (r *testReceiver) next(t testing.TB) received {
	t.Helper()
	select {
	case q := <-r.requests:
		return q
	default:
		t.Fatal("the receiver got no request")
		return received{}
	}
}

// status responds with a status.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// testMessage returns a message for an event of the log.
func testMessage(t testing.TB) Message {
	t.Helper()
	file, err := os.ReadFile("../../schemas/examples/event-changed.json")
	if err != nil {
		t.Fatal(err)
	}
	var example struct{ Payload cloudevents.Event }
	if err := json.Unmarshal(file, &example); err != nil {
		t.Fatal(err)
	}
	return Message{Rule: "failed-jobs", Event: example.Payload, Count: 1, Title: "job ep-0417 Error", Text: "The job failed."}
}

// secretFile writes a secret into a file, and returns its name.
func secretFile(t testing.TB, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	writeSecret(t, name, content)
	return name
}

func writeSecret(t testing.TB, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, c TargetConfig) Target {
	t.Helper()
	target, err := c.Open()
	if err != nil {
		t.Fatal(err)
	}
	return target
}
