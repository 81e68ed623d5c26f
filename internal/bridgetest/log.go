package bridgetest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Log is a file with the output of all runs of a program, and can be waited on. It is a file because a program under
// torture logs more than memory should hold. Writing never blocks on a reader.
type Log struct {
	path string

	mu      sync.Mutex
	file    *os.File
	written chan struct{} // closed and replaced at each write
}

// openLog opens the file of a log, and appends to it.
func openLog(path string) (*Log, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &Log{path: path, file: file, written: make(chan struct{})}, nil
}

// Write appends to the log.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.file.Write(p)
	close(l.written)
	l.written = make(chan struct{})
	return n, err
}

func (l *Log) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

// nextWrite returns a channel that is closed at the next write.
func (l *Log) nextWrite() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written
}

// String returns the whole log.
func (l *Log) String() string {
	content, err := os.ReadFile(l.path)
	if err != nil {
		return err.Error()
	}
	return string(content)
}

// Find returns the first lines, at most limit, that contain one of the words.
func (l *Log) Find(limit int, words ...string) ([]string, error) {
	file, err := os.Open(l.path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	var found []string
	lines := bufio.NewReader(file)
	for len(found) < limit {
		line, err := lines.ReadString('\n')
		if slices.ContainsFunc(words, func(word string) bool { return strings.Contains(line, word) }) {
			found = append(found, strings.TrimSpace(line))
		}
		if err != nil {
			break // end of file
		}
	}
	return found, nil
}

// Await waits for a complete line that matches, from an offset on, and returns the offset of the line's end. It fails when
// ctx ends, or when done is closed and no such line was written before.
func (l *Log) Await(ctx context.Context, from int64, done <-chan struct{}, matches func(line string) bool) (end int64, err error) {
	for {
		written := l.nextWrite()
		ended := isClosed(done)
		rest, err := readFrom(l.path, from)
		if err != nil {
			return from, err
		}
		for line := range bytes.Lines(rest) {
			if !bytes.HasSuffix(line, []byte("\n")) {
				break // incomplete
			}
			from += int64(len(line))
			if matches(strings.TrimSpace(string(line))) {
				return from, nil
			}
		}
		if ended {
			return from, errors.New("the program ended before it logged the line")
		}
		select {
		case <-written:
		case <-done:
		case <-ctx.Done():
			return from, fmt.Errorf("the program did not log the line: %w", ctx.Err())
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func readFrom(path string, offset int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(file)
}

// textAttribute matches one attribute of log/slog's text format.
var textAttribute = regexp.MustCompile(`([^\s="]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?: |$)`)

// ParseLine parses a log line in either format; nil if it has neither.
func ParseLine(text string) (line map[string]any) {
	if json.Unmarshal([]byte(text), &line) == nil {
		return line
	}
	line = map[string]any{}
	read := 0
	for _, m := range textAttribute.FindAllStringSubmatch(text, -1) {
		value := m[2]
		if unquoted, err := strconv.Unquote(value); err == nil {
			value = unquoted
		}
		line[m[1]] = value
		read += len(m[0])
	}
	if read != len(text) || line["msg"] == nil {
		return nil
	}
	return line
}
