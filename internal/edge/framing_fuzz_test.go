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

// Whatever a client sends: it is judged alike however the network cuts it, and each request that net/http makes of what is
// passed on ends where the framing says, with a header that no reader of HTTP/1.1 can read in two ways.
func FuzzFraming(f *testing.F) {
	second := bridgetest.RawDelivery("s", "", []byte("{}"))
	for _, raw := range bridgetest.Smugglings("s", second) {
		f.Add([]byte(raw), uint(len(raw)/2))
		f.Add([]byte(second+raw), uint(len(second)))
	}
	f.Add([]byte(keptAlive+chunkedRequest), uint(1))
	f.Add([]byte(keptAlive+refusedRequest), uint(1))
	f.Fuzz(func(t *testing.T, sent []byte, cut uint) {
		good, refused := passedOn(sent)
		at := int(cut % uint(len(sent)+1))
		if n, err := passedOn(sent[:at], sent[at:]); n != good || !errors.Is(err, refused) {
			t.Fatalf("%d bytes are passed on, %v; cut at %d: %d bytes, %v", good, refused, at, n, err)
		}
		checkRequests(t, sent[:good])
	})
}

// passedOn is how many bytes of some parts are passed on, and why no more.
func passedOn(parts ...[]byte) (good int, refused error) {
	var f framing
	for _, part := range parts {
		n, err := f.check(part)
		if good += n; err != nil {
			return good, err
		}
	}
	return good, nil
}

// checkRequests compares the ends of the requests that net/http makes of some bytes with those of the framing.
func checkRequests(t *testing.T, passed []byte) {
	t.Helper()
	rest := bytes.NewReader(passed)
	reader := bufio.NewReader(rest)
	offset := func() int { return len(passed) - rest.Len() - reader.Buffered() }
	for {
		begin := offset()
		request, err := http.ReadRequest(reader)
		if err != nil || refusedLater(request) {
			return
		}
		header := offset()
		checkHeader(t, passed[begin:header])
		if len(request.TransferEncoding) > 0 || !request.ProtoAtLeast(1, 1) || request.ProtoMajor != 1 {
			return // NewServer takes nothing that follows
		}
		var f framing
		if n, err := f.check(passed[:header]); n != header || err != nil || f.begun || len(f.line) > 0 || f.body != request.ContentLength {
			t.Fatalf("net/http reads a header to byte %d of %q and a body of %d; the framing %+v, %v", header, passed, request.ContentLength, f, err)
		}
		if n, err := io.Copy(io.Discard, request.Body); err != nil || n != request.ContentLength {
			return
		}
		if request.Method == http.MethodPost { // net/http passes over some empty lines behind it
			ahead, _ := reader.Peek(4)
			_, _ = reader.Discard(len(ahead) - len(bytes.TrimLeft(ahead, "\r\n")))
		}
	}
}

// refusedLater says whether net/http's server refuses a request that it could read.
func refusedLater(r *http.Request) bool {
	for name := range r.Header {
		if strings.Contains(name, " ") {
			return true
		}
	}
	return false
}

// checkHeader fails where two readers may find another end of a request.
func checkHeader(t *testing.T, header []byte) {
	t.Helper()
	lengths := 0
	for line := range bytes.Lines(header) {
		text, ends := bytes.CutSuffix(line, []byte("\r\n"))
		if !ends || bytes.ContainsAny(text, "\r\n") || bytes.HasPrefix(text, []byte(" ")) || bytes.HasPrefix(text, []byte("\t")) {
			t.Fatalf("line %q of the header %q is passed on", line, header)
		}
		name, value, _ := strings.Cut(string(text), ":")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "content-length":
			if digits := strings.Trim(value, " \t"); digits == "" || strings.Trim(digits, "0123456789") != "" {
				t.Fatalf("length %q is passed on", value)
			}
			lengths++
		case "transfer-encoding":
			lengths++
		}
	}
	if lengths > 1 {
		t.Fatalf("the header %q tells the length %d times", header, lengths)
	}
}
