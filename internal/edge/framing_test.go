package edge

import (
	"errors"
	"testing"
)

// Pipelined requests, one that ends the connection, and one that is refused.
const (
	pipelinedRequests = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n\nX:\r\r" +
		"GET /b HTTP/1.0\r\n\r\n" + "\r\nPOST /c HTTP/1.1\r\ncontent-length:\t0 \r\nExpect: 100-continue\r\n\r\n"
	chunkedRequest = "POST /d HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\n \n"
	refusedRequest = "POST /e HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"
)

// Valid requests are accepted however the network splits them.
func TestFramingIsIndependentOfReadBoundaries(t *testing.T) {
	const requests = pipelinedRequests + chunkedRequest
	const whole = pipelinedRequests + refusedRequest
	for at := range len(requests) {
		var f framing
		for _, part := range []string{requests[:at], requests[at:]} {
			if n, err := f.check([]byte(part)); err != nil || n != len(part) {
				t.Fatalf("split at %d: %d of %d, %v", at, n, len(part), err)
			}
		}
	}
	for at := range len(whole) {
		var f framing
		n, err := f.check([]byte(whole[:at]))
		if err == nil {
			var more int
			more, err = f.check([]byte(whole[at:]))
			n += more
		}
		if want := len(whole) - len("\n\r\n"); !errors.Is(err, errLength) || n != want {
			t.Fatalf("split at %d: %d bytes are accepted, want %d, %v", at, n, want, err)
		}
	}
}
