package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A log writes events as a bridge would, and is rude to who delivers.
type log struct {
	mu       sync.Mutex
	seen     map[string]bool // deliveries by their id
	events   strings.Builder
	requests int
	enough   func() // called when there were enough
}

func (l *log) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.requests++; l.requests == 200 {
		l.enough()
	}
	switch {
	case l.requests%5 == 0:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case r.Header.Get("X-Webhook-Secret") != "s3cret":
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var d struct {
		ID   string
		Data struct {
			State    string
			Resource struct{ Name string }
		}
	}
	if err := json.Unmarshal(body, &d); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if !l.seen[d.ID] {
		l.seen[d.ID] = true
		l.events.WriteString(`{"data":{"name":"` + d.Data.Resource.Name + `","state":"` + d.Data.State + "\"}}\n")
	}
	if l.requests%7 == 0 {
		panic(http.ErrAbortHandler) // it is stored, and nobody is told
	}
	w.WriteHeader(http.StatusNoContent)
}

func TestWhatIsAcknowledgedIsInTheLogOnceAndInOrder(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l := &log{seen: map[string]bool{}, enough: cancel}
	server := httptest.NewServer(l)
	defer server.Close()
	dir := t.TempDir()
	secret, told := filepath.Join(dir, "secret"), filepath.Join(dir, "told")
	if err := os.WriteFile(secret, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := sender{url: server.URL, secretFile: secret, project: "p", workers: 4, patience: time.Minute, pause: time.Millisecond}
	if err := s.run(ctx, told); err != nil {
		t.Fatal(err)
	}
	events := l.events.String()
	if err := check(told, strings.NewReader(events), io.Discard); err != nil {
		t.Fatal(err)
	}
	first, rest, _ := strings.Cut(events, "\n")
	for name, wrong := range map[string]string{
		"lost":      rest,
		"repeated":  first + "\n" + events,
		"invented":  events + `{"data":{"name":"stranger","state":"Finished"}}` + "\n",
		"disturbed": rest + first + "\n" + strings.Replace(first, "Scheduled", "Processing", 1) + "\n",
		"empty":     "",
	} {
		if err := check(told, strings.NewReader(wrong), io.Discard); err == nil {
			t.Errorf("a log with an event %s passes", name)
		}
	}
}

func TestNothingToldProvesNothing(t *testing.T) {
	told := filepath.Join(t.TempDir(), "told")
	if err := os.WriteFile(told, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := check(told, strings.NewReader(""), io.Discard); err == nil {
		t.Error("it passes")
	}
}

func TestASenderGivesUpInTheEnd(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	s := sender{url: server.URL, project: "p", workers: 1}
	if err := s.run(t.Context(), filepath.Join(t.TempDir(), "told")); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("error %v", err)
	}
}
