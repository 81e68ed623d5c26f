package ingest

import (
	"errors"
	"io"
	"slices"
	"sync"
)

// errNoRoom is for a body that does not fit beside those in hand.
var errNoRoom = errors.New("no room for the body")

// buffers have firstRoom, which most bodies fit into. What a body told is copied from it, so that its buffer can be used
// again when it was answered.
var buffers = sync.Pool{New: func() any { return new(make([]byte, 0, firstRoom)) }}

// read takes a body into memory, into first as far as it fits, and returns the room that it takes, also after an error. It
// gets room as it comes: a length that is only claimed takes none from others.
func (h *Handler) read(body io.Reader, first []byte) (content []byte, room int64, err error) {
	content = first
	for {
		if int64(len(content)) == room {
			step := min(max(room, firstRoom), h.c.MaxBody+1-room) // 1 more, to see that a body is too large
			if !h.bytes.TryAcquire(step) {
				return nil, room, errNoRoom
			}
			h.metrics.bytes.Add(float64(step))
			room += step
			content = slices.Grow(content, int(room)-len(content))
		}
		n, err := body.Read(content[len(content):room])
		content = content[:len(content)+n]
		if errors.Is(err, io.EOF) {
			return content, room, nil
		}
		if err != nil {
			return nil, room, err
		}
	}
}

// release gives back the room of a body.
func (h *Handler) release(room int64) {
	h.bytes.Release(room)
	h.metrics.bytes.Sub(float64(room))
}
