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

// A letter is an event that is given up, and why.
type letter struct {
	Time     time.Time       `json:"time"`
	Consumer string          `json:"consumer"`
	ID       string          `json:"id"`
	Subject  string          `json:"subject"`
	Sequence uint64          `json:"sequence"`
	Tries    int             `json:"tries"`
	Reason   string          `json:"reason"`
	Event    json.RawMessage `json:"event"`
}

// deadLetters keep letters. When keep returns nil, the letter survives whatever comes. The same one may be kept again.
type deadLetters interface {
	keep(ctx context.Context, l letter) error
	io.Closer
}

// openDeadLetters makes sure at the start that letters can be kept: later would be too late.
func openDeadLetters(ctx context.Context, js jetstream.JetStream, s settings) (deadLetters, error) {
	if s.deadFile != "" {
		return openFile(s.deadFile)
	}
	stream, err := js.StreamNameBySubject(ctx, s.deadSubject)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, fmt.Errorf("no stream takes -dead-letter-subject %s: make one (nats stream add), or on a bridge's embedded server, where readers can publish to none, use -dead-letter-file", s.deadSubject)
	case err != nil:
		return nil, fmt.Errorf("-dead-letter-subject %s: %w", s.deadSubject, err)
	case stream == s.stream:
		return nil, fmt.Errorf("-dead-letter-subject %s belongs to %s, the bridge's log: choose a subject of another stream", s.deadSubject, stream)
	}
	return stored{js, s.deadSubject}, nil
}

// stored keeps letters in a stream: the event as it was, the rest in headers.
type stored struct {
	js      jetstream.JetStream
	subject string
}

func (d stored) keep(ctx context.Context, l letter) error {
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

func (d stored) Close() error { return nil }

// A file keeps letters as lines of JSON.
type file struct {
	mu sync.Mutex
	*os.File
}

func openFile(name string) (*file, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("-dead-letter-file: %w", err)
	}
	// A new file is there after a power cut only when its directory is on disk too.
	dir, err := os.Open(filepath.Dir(name))
	if err == nil {
		err = errors.Join(dir.Sync(), dir.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("-dead-letter-file: %w", err), f.Close())
	}
	return &file{File: f}, nil
}

func (f *file) keep(_ context.Context, l letter) error {
	if !json.Valid(l.Event) { // a payload that is no JSON stands as a string
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

// torn says whether the last line has no end: a full disk or a crash broke it off.
func (f *file) torn() bool {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, info.Size()-1)
	return err == nil && last[0] != '\n'
}
