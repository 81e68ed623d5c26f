package notify

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// deadFile stores dead letters as lines of JSON, for a NATS that permits no stream of its own. A line deletes the letter of
// another line, so that a process may append while another retries. The file is opened for each letter: an operator may have
// removed it, and a letter in a removed file would be lost.
type deadFile struct {
	name    string
	mu      sync.Mutex
	counted fileCount
}

// A deletion is a line that deletes the letter of another line.
type deletion struct {
	Deleted uint64 `json:"deleted"` // number of that line
}

// OpenFile opens the file of dead letters, and creates it if it does not exist.
func OpenFile(name string) (DeadLetters, error) {
	f := &deadFile{name: name}
	file, err := f.open()
	if err != nil {
		return nil, fmt.Errorf("file of dead letters: %w", err)
	}
	return f, file.Close()
}

// open opens the file to append. A new file survives a power failure only if its directory is synced too.
func (f *deadFile) open() (*os.File, error) {
	_, missing := os.Stat(f.name)
	file, err := os.OpenFile(f.name, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil || missing == nil {
		return file, err
	}
	if dir, err := os.Open(filepath.Dir(f.name)); err == nil {
		_ = dir.Sync() // Windows cannot sync directories
		_ = dir.Close()
	}
	return file, nil
}

// Store appends a letter and syncs the file.
func (f *deadFile) Store(_ context.Context, l Letter) error {
	if !json.Valid(l.Event) { // what is not JSON becomes a text
		l.Event, _ = json.Marshal(string(l.Event))
	}
	return f.append(l)
}

// append appends a line: a letter, or a deletion.
func (f *deadFile) append(l any) (err error) {
	line, err := json.Marshal(l)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	file, err := f.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if torn(file) {
		line = append([]byte("\n"), line...)
	}
	if _, err := file.Write(append(line, '\n')); err != nil {
		return err
	}
	return file.Sync()
}

// torn reports whether the last line is incomplete, after a full disk or a crash.
func torn(file *os.File) bool {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return false
	}
	last := make([]byte, 1)
	_, err = file.ReadAt(last, info.Size()-1)
	return err == nil && last[0] != '\n'
}

// A fileLine is a line of the file: a letter, or a deletion.
type fileLine struct {
	Letter
	deletion
}

// readLines calls do for each complete line of r, numbered from first+1, and returns the bytes and lines that it read. What is
// no JSON is left out: its letter was not stored.
func readLines(r io.Reader, first uint64, do func(fileLine)) (size int64, lines uint64, err error) {
	for in := bufio.NewReader(r); ; lines++ {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return size, lines, nil
		}
		if err != nil {
			return size, lines, err
		}
		size += int64(len(line))
		var l fileLine
		if json.Unmarshal(bytes.TrimSpace(line), &l) == nil {
			l.Number = first + lines + 1
			do(l)
		}
	}
}

// List reads the file.
func (f *deadFile) List(context.Context) (all []Letter, err error) {
	file, err := os.Open(f.name)
	if errors.Is(err, fs.ErrNotExist) { // removed since it was opened
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	deleted := map[uint64]bool{}
	_, _, err = readLines(file, 0, func(l fileLine) {
		if l.Deleted > 0 {
			deleted[l.Deleted] = true
			return
		}
		all = append(all, l.Letter)
	})
	kept := all[:0]
	for _, l := range all {
		if !deleted[l.Number] {
			kept = append(kept, l)
		}
	}
	return kept, err
}

// Delete appends a line that deletes a letter.
func (f *deadFile) Delete(_ context.Context, number uint64) error {
	return f.append(deletion{number})
}

// A fileCount is what was counted of a file, so that a large one is not read anew each time.
type fileCount struct {
	file    fs.FileInfo
	size    int64
	lines   uint64
	letters map[uint64]bool // by number
}

// Count returns the number of letters. It reads what was appended since it was last called.
func (f *deadFile) Count(context.Context) (count int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	file, err := os.Open(f.name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	c := &f.counted
	if c.file == nil || !os.SameFile(c.file, info) || info.Size() < c.size {
		*c = fileCount{letters: map[uint64]bool{}}
	}
	c.file = info
	size, lines, err := readLines(io.NewSectionReader(file, c.size, info.Size()-c.size), c.lines, func(l fileLine) {
		if l.Deleted > 0 {
			delete(c.letters, l.Deleted)
		} else {
			c.letters[l.Number] = true
		}
	})
	c.size, c.lines = c.size+size, c.lines+lines
	return len(c.letters), err
}

func (f *deadFile) String() string { return "file " + f.name }
