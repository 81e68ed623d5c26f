package bridgetest

import (
	"bytes"
	"strings"
	"sync"
)

// A Buffer holds what a program logs, and may be read while it is written. A client of NATS runs callbacks that log
// even after it was closed, so a bytes.Buffer is not enough for any log of a test that connects.
type Buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends to the buffer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns all that was written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Contains tells whether text was written.
func (b *Buffer) Contains(text string) bool { return strings.Contains(b.String(), text) }
