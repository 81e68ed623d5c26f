package ingest

import (
	"errors"
	"io"
	"slices"
	"sync"
)

// errBusy is returned for a body that exceeds the limit of body bytes in flight.
var errBusy = errors.New("too many body bytes in flight")

// buffers is a pool of body buffers of initialBuffer bytes, which most bodies fit into. Observations copy what they need
// from a body, so that its buffer can be reused after the response.
var buffers = sync.Pool{New: func() any { return new(make([]byte, 0, initialBuffer)) }}

// readBody reads a body into buffer, which grows as needed, and returns the number of bytes reserved, also after an error.
// Bytes are reserved as they arrive: a Content-Length alone reserves none.
func (h *Handler) readBody(body io.Reader, buffer []byte) (content []byte, reserved int64, err error) {
	content = buffer
	for {
		if int64(len(content)) == reserved {
			step := min(max(reserved, initialBuffer), h.c.MaxBody+1-reserved) // 1 more than MaxBody, to detect a body that is too large
			if !h.bytes.TryAcquire(step) {
				return nil, reserved, errBusy
			}
			h.metrics.bytes.Add(float64(step))
			reserved += step
			content = slices.Grow(content, int(reserved)-len(content))
		}
		n, err := body.Read(content[len(content):reserved])
		content = content[:len(content)+n]
		if errors.Is(err, io.EOF) {
			return content, reserved, nil
		}
		if err != nil {
			return nil, reserved, err
		}
	}
}

// release returns the bytes that readBody reserved.
func (h *Handler) release(reserved int64) {
	h.bytes.Release(reserved)
	h.metrics.bytes.Sub(float64(reserved))
}
