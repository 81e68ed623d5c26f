package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A deadLetter is an event that is given up, with the reason.
type deadLetter struct {
	Time     time.Time       `json:"time"`
	Consumer string          `json:"consumer"`
	ID       string          `json:"id"`
	Subject  string          `json:"subject"`
	Sequence uint64          `json:"sequence"`
	Tries    int             `json:"tries"`
	Reason   string          `json:"reason"`
	Event    json.RawMessage `json:"event"`
}

// A deadLetterStore stores dead letters durably: when store returns nil, the letter survives a crash. The same letter may be
// stored again.
type deadLetterStore interface {
	store(ctx context.Context, l deadLetter) error
	io.Closer
}

// openDeadLetterStore opens the store, and checks at start that dead letters can be stored.
func openDeadLetterStore(ctx context.Context, js jetstream.JetStream, s settings) (deadLetterStore, error) {
	if s.deadFile != "" {
		return openFileStore(s.deadFile)
	}
	stream, err := js.StreamNameBySubject(ctx, s.deadSubject)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, fmt.Errorf("no stream has the subject -dead-letter-subject %s: create one (nats stream add); on a bridge's embedded server, where readers cannot publish to streams, use -dead-letter-file", s.deadSubject)
	case err != nil:
		return nil, fmt.Errorf("-dead-letter-subject %s: %w", s.deadSubject, err)
	case stream == s.stream:
		return nil, fmt.Errorf("-dead-letter-subject %s belongs to %s, the bridge's log: choose a subject of another stream", s.deadSubject, stream)
	}
	return streamStore{js, s.deadSubject}, nil
}

// streamStore stores dead letters in a stream: the unchanged event, with the rest in headers.
type streamStore struct {
	js      jetstream.JetStream
	subject string
}

func (d streamStore) store(ctx context.Context, l deadLetter) error {
	m := nats.NewMsg(d.subject)
	m.Data = l.Event
	for name, value := range map[string]string{
		"Content-Type":    "application/cloudevents+json",
		"Notify-Consumer": l.Consumer,
		"Notify-Reason":   l.Reason,
		"Notify-Tries":    strconv.Itoa(l.Tries),
		"Notify-Subject":  l.Subject,
		"Notify-Sequence": strconv.FormatUint(l.Sequence, 10),
	} {
		m.Header.Set(name, value)
	}
	if _, err := d.js.PublishMsg(ctx, m, jetstream.WithMsgID(l.Consumer+" "+l.ID)); err != nil {
		return fmt.Errorf("publish to %s: %w", d.subject, err)
	}
	return nil
}

func (d streamStore) Close() error { return nil }

// A fileStore stores dead letters as lines of JSON.
type fileStore struct {
	mu sync.Mutex
	*os.File
}

func openFileStore(name string) (*fileStore, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("-dead-letter-file: %w", err)
	}
	// A new file survives a power failure only if its directory is synced too.
	dir, err := os.Open(filepath.Dir(name))
	if err == nil {
		err = errors.Join(dir.Sync(), dir.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("-dead-letter-file: %w", err), f.Close())
	}
	return &fileStore{File: f}, nil
}

func (f *fileStore) store(_ context.Context, l deadLetter) error {
	if !json.Valid(l.Event) { // a payload that is not JSON becomes a string
		l.Event, _ = json.Marshal(string(l.Event))
	}
	line, err := json.Marshal(l)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.torn() {
		line = append([]byte("\n"), line...)
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		return err
	}
	return f.Sync()
}

// torn reports whether the last line is incomplete, after a full disk or a crash.
func (f *fileStore) torn() bool {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, info.Size()-1)
	return err == nil && last[0] != '\n'
}
