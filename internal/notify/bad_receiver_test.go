package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/event"
)

// A receiver over real HTTP that does everything wrong before it does it right: it gets each event, those of a resource in order;
// what it refuses is a complete dead letter, and the token is nowhere.
func TestNothingIsLostOnABadReceiver(t *testing.T) {
	const token = "t0p-secret-token"
	t.Parallel()       // that is, after the tests in virtual time, which must not get timers of this one from nats.go's pool
	t.Cleanup(func() { // nor when all tests are repeated
		runtime.GC()
		runtime.GC()
	})
	f := newFixture(t)
	states := []string{"Queued", "Scheduled", "Processing", "Finished"}
	for _, state := range states {
		for _, name := range []string{"ep-1", "ep-2", "ep-3"} {
			f.add("news", name, state)
		}
	}
	f.add("news", "ep-refused", "Queued")
	faults := make(chan http.HandlerFunc, 100)
	release := make(chan struct{})
	hang := func(http.ResponseWriter, *http.Request) { <-release }
	for range 3 {
		for _, fault := range []http.HandlerFunc{status(500), retryLater(429, "0"), retryLater(503, "Tue, 04 Mar 2025 09:00:00 GMT"), redirect(307), closeAtOnce, hang, endless(500), body(401, token)} {
			faults <- fault
		}
	}
	accepted := make(chan event.Event, 100)
	r := newReceiver(t, nil)
	r.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		payload, _ := io.ReadAll(q.Body)
		e, err := event.Decode(payload)
		switch {
		case err != nil || q.Header.Get("Authorization") != "Bearer "+token:
			t.Errorf("the receiver got %q with %v: %v", payload, q.Header, err)
		case e.Data.Name == "ep-refused":
			w.WriteHeader(http.StatusGone)
			return
		}
		select {
		case fault := <-faults:
			fault(w, q)
		default:
			w.WriteHeader(http.StatusNoContent)
			accepted <- e
		}
	})
	t.Cleanup(func() { close(release) }) // before the receiver is closed

	rules := map[string]any{
		"targets": map[string]any{"hook": map[string]any{"webhook": map[string]any{"url": r.URL, "tokenFile": secretFile(t, token)}}},
		"rules":   []any{map[string]any{"name": "all", "target": "hook", "from": "all", "retry": map[string]any{"tries": 100, "first": "1ms", "max": "10ms", "timeout": "200ms"}}},
	}
	content, err := json.Marshal(rules) // JSON is YAML
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	nc, js := f.server.Connect()
	dead, err := OpenStream(t.Context(), js, names, StreamOptions{Create: true, Replicas: 1})
	if err != nil {
		t.Fatal(err)
	}
	n := New(Config{NC: nc, JS: js, Names: names, File: file, Dead: dead, Log: slog.New(slog.NewTextHandler(&f.log, nil))})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := n.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	// On a busy machine the notifier may time out while the receiver accepts, and sends again: the id tells the receiver so.
	next, ids := map[string]int{}, map[string]bool{}
	for len(ids) < 3*len(states) {
		e := <-accepted
		if ids[e.ID()] {
			continue
		}
		ids[e.ID()] = true
		if want := states[next[e.Data.Name]]; e.Data.State != want {
			t.Errorf("%s: %s was accepted, want %s", e.Data.Name, e.Data.State, want)
		}
		next[e.Data.Name]++
	}
	bridgetest.Eventually(t, "there is a dead letter", func() bool { return len(f.letters()) > 0 })
	cancel()
	running.Wait()
	letters := fmt.Sprint(f.letters())
	if letters != "[all ep-refused Queued: the receiver responded 410 Gone]" {
		t.Errorf("dead letters %s", letters)
	}
	if strings.Contains(f.log.String(), token) || !strings.Contains(f.log.String(), redacted) {
		t.Errorf("the log has the token, or not the response that contained it:\n%s", f.log.String())
	}
}
