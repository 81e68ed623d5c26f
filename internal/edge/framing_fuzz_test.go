package edge

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
)

// For any input, the result does not depend on how the network splits it, and each request that net/http parses from the
// accepted bytes ends where the framing says, with a header that no HTTP/1.1 parser can read in two ways.
func FuzzFraming(f *testing.F) {
	second := bridgetest.RawDelivery("s", "", []byte("{}"))
	for _, raw := range bridgetest.SmugglingRequests("s", second) {
		f.Add([]byte(raw), uint(len(raw)/2))
		f.Add([]byte(second+raw), uint(len(second)))
	}
	f.Add([]byte(pipelinedRequests+chunkedRequest), uint(1))
	f.Add([]byte(pipelinedRequests+refusedRequest), uint(1))
	f.Fuzz(func(t *testing.T, sent []byte, cut uint) {
		good, refused := accepted(sent)
		at := int(cut % uint(len(sent)+1))
		if n, err := accepted(sent[:at], sent[at:]); n != good || !errors.Is(err, refused) {
			t.Fatalf("%d bytes are accepted, %v; split at %d: %d bytes, %v", good, refused, at, n, err)
		}
		checkRequests(t, sent[:good])
	})
}

// accepted returns how many bytes of some parts are accepted, and why no more.
func accepted(parts ...[]byte) (good int, refused error) {
	var f framing
	for _, part := range parts {
		n, err := f.check(part)
		if good += n; err != nil {
			return good, err
		}
	}
	return good, nil
}

// checkRequests compares the ends of the requests that net/http parses with those of the framing.
func checkRequests(t *testing.T, accepted []byte) {
	t.Helper()
	rest := bytes.NewReader(accepted)
	reader := bufio.NewReader(rest)
	offset := func() int { return len(accepted) - rest.Len() - reader.Buffered() }
	for {
		begin := offset()
		request, err := http.ReadRequest(reader)
		if err != nil || refusedByServer(request) {
			return
		}
		header := offset()
		checkHeader(t, accepted[begin:header])
		if len(request.TransferEncoding) > 0 || !request.ProtoAtLeast(1, 1) || request.ProtoMajor != 1 {
			return // NewServer closes the connection after it
		}
		var f framing
		if n, err := f.check(accepted[:header]); n != header || err != nil || f.inHeader || len(f.line) > 0 || f.body != request.ContentLength {
			t.Fatalf("net/http reads a header to byte %d of %q and a body of %d; the framing %+v, %v", header, accepted, request.ContentLength, f, err)
		}
		if n, err := io.Copy(io.Discard, request.Body); err != nil || n != request.ContentLength {
			return
		}
		if request.Method == http.MethodPost { // net/http skips some empty lines after it
			ahead, _ := reader.Peek(4)
			_, _ = reader.Discard(len(ahead) - len(bytes.TrimLeft(ahead, "\r\n")))
		}
	}
}

// refusedByServer reports whether net/http's server refuses a request that http.ReadRequest accepts.
func refusedByServer(r *http.Request) bool {
	for name := range r.Header {
		if strings.Contains(name, " ") {
			return true
		}
	}
	return false
}

// checkHeader fails if two parsers may find different ends of a request.
func checkHeader(t *testing.T, header []byte) {
	t.Helper()
	lengths := 0
	for line := range bytes.Lines(header) {
		text, ends := bytes.CutSuffix(line, []byte("\r\n"))
		if !ends || bytes.ContainsAny(text, "\r\n") || bytes.HasPrefix(text, []byte(" ")) || bytes.HasPrefix(text, []byte("\t")) {
			t.Fatalf("line %q of the header %q is accepted", line, header)
		}
		name, value, _ := strings.Cut(string(text), ":")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "content-length":
			if digits := strings.Trim(value, " \t"); digits == "" || strings.Trim(digits, "0123456789") != "" {
				t.Fatalf("length %q is accepted", value)
			}
			lengths++
		case "transfer-encoding":
			lengths++
		}
	}
	if lengths > 1 {
		t.Fatalf("the header %q has %d lengths", header, lengths)
	}
}
