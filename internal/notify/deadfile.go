package notify

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// deadFile stores dead letters as lines of JSON, for a NATS that permits no stream of its own. Nothing is ever removed: a line
// deletes the letter of another line, so that a process may append while another retries.
type deadFile struct {
	name string
	mu   sync.Mutex
	file *os.File
}

// A deletion is a line that deletes the letter of another line.
type deletion struct {
	Deleted uint64 `json:"deleted"` // number of that line
}

// OpenFile opens the file of dead letters, and creates it if it does not exist.
func OpenFile(name string) (DeadLetters, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("file of dead letters: %w", err)
	}
	// A new file survives a power failure only if its directory is synced too. Windows cannot sync directories.
	if dir, err := os.Open(filepath.Dir(name)); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
	return &deadFile{name: name, file: f}, nil
}

// Store appends a letter and syncs the file.
func (f *deadFile) Store(_ context.Context, l Letter) error {
	if !json.Valid(l.Event) { // what is not JSON becomes a text
		l.Event, _ = json.Marshal(string(l.Event))
	}
	return f.append(l)
}

// append appends a line: a letter, or a deletion.
func (f *deadFile) append(l any) error {
	line, err := json.Marshal(l)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.torn() {
		line = append([]byte("\n"), line...)
	}
	if _, err := f.file.Write(append(line, '\n')); err != nil {
		return err
	}
	return f.file.Sync()
}

// torn reports whether the last line is incomplete, after a full disk or a crash.
func (f *deadFile) torn() bool {
	info, err := f.file.Stat()
	if err != nil || info.Size() == 0 {
		return false
	}
	last := make([]byte, 1)
	_, err = f.file.ReadAt(last, info.Size()-1)
	return err == nil && last[0] != '\n'
}

// List reads the file. A line that is not complete is skipped: its letter was not stored.
func (f *deadFile) List(context.Context) (all []Letter, err error) {
	file, err := os.Open(f.name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines := bufio.NewReader(file)
	deleted := map[uint64]bool{}
	for number := uint64(1); ; number++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		var l struct {
			Letter
			deletion
		}
		if json.Unmarshal(bytes.TrimSpace(line), &l) != nil {
			continue
		}
		if l.Deleted > 0 {
			deleted[l.Deleted] = true
			continue
		}
		l.Number = number
		all = append(all, l.Letter)
	}
	kept := all[:0]
	for _, l := range all {
		if !deleted[l.Number] {
			kept = append(kept, l)
		}
	}
	return kept, nil
}

// Delete appends a line that deletes a letter.
func (f *deadFile) Delete(_ context.Context, number uint64) error {
	return f.append(deletion{number})
}

// Count returns the number of letters.
func (f *deadFile) Count(ctx context.Context) (int, error) {
	all, err := f.List(ctx)
	return len(all), err
}

func (f *deadFile) String() string { return "file " + f.name }
