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

// A log stands in for a bridge: it records events, and fails some requests before and some after it stored the delivery.
type log struct {
	mu       sync.Mutex
	seen     map[string]bool // ids of stored deliveries
	events   strings.Builder
	requests int
	onEnough func() // called at request 200
}

func (l *log) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.requests++; l.requests == 200 {
		l.onEnough()
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
		panic(http.ErrAbortHandler) // stored, but without a response
	}
	w.WriteHeader(http.StatusNoContent)
}

func TestCheckFindsAcknowledgedChangesOnceAndInOrder(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l := &log{seen: map[string]bool{}, onEnough: cancel}
	server := httptest.NewServer(l)
	defer server.Close()
	dir := t.TempDir()
	secret, acknowledged := filepath.Join(dir, "secret"), filepath.Join(dir, "acknowledged")
	if err := os.WriteFile(secret, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := sender{url: server.URL, secretFile: secret, project: "p", workers: 4, patience: time.Minute, pause: time.Millisecond}
	if err := s.run(ctx, acknowledged); err != nil {
		t.Fatal(err)
	}
	events := l.events.String()
	if err := check(acknowledged, strings.NewReader(events), io.Discard); err != nil {
		t.Fatal(err)
	}
	first, rest, _ := strings.Cut(events, "\n")
	for name, wrong := range map[string]string{
		"lost":      rest,
		"repeated":  first + "\n" + events,
		"invented":  events + `{"data":{"name":"stranger","state":"Finished"}}` + "\n",
		"reordered": rest + first + "\n" + strings.Replace(first, "Scheduled", "Processing", 1) + "\n",
		"empty":     "",
	} {
		if err := check(acknowledged, strings.NewReader(wrong), io.Discard); err == nil {
			t.Errorf("a log with an event %s passes", name)
		}
	}
}

func TestCheckFailsWithoutAcknowledgedChanges(t *testing.T) {
	acknowledged := filepath.Join(t.TempDir(), "acknowledged")
	if err := os.WriteFile(acknowledged, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := check(acknowledged, strings.NewReader(""), io.Discard); err == nil {
		t.Error("an empty file passes")
	}
}

func TestSenderGivesUp(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	s := sender{url: server.URL, project: "p", workers: 1}
	if err := s.run(t.Context(), filepath.Join(t.TempDir(), "acknowledged")); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("error %v", err)
	}
}
