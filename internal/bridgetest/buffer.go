package bridgetest

import (
	"bytes"
	"strings"
	"sync"
)

// A Buffer holds a program's log and may be read while it is written. Tests that connect to NATS need it instead of a
// bytes.Buffer: a NATS client may run callbacks, which log, after it was closed.
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

// String returns everything written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Contains reports whether text was written.
func (b *Buffer) Contains(text string) bool { return strings.Contains(b.String(), text) }
