package edge

import (
	"bytes"
	"errors"
	"net"
	"strconv"
)

// A framedConn passes on to net/http only requests that every HTTP/1.1 parser ends at the same byte. net/http itself accepts
// some that a proxy in front may parse differently: what is a request's body for one is then the next request for the other,
// such as a forged delivery on an authenticated connection (request smuggling). It must be read by one goroutine at a time.
type framedConn struct {
	net.Conn
	framing framing
	err     error // why a line was refused; nothing is read afterwards
}

// Read returns the bytes before the end of a refused line, and errors from then on: net/http cannot complete the header, and
// responds 400 without calling a handler.
func (c *framedConn) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.Conn.Read(p)
	good, refused := c.framing.check(p[:n])
	if refused == nil {
		return n, err
	}
	c.err = refused
	if good == 0 {
		return 0, refused
	}
	return good, nil
}

// CloseWrite closes the write side. net/http calls it, if the connection has this method, before it closes a connection
// whose request it did not read completely: otherwise a client that is still sending would lose the response.
func (c *framedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Why a line of a header is refused.
var (
	errLineEnd = errors.New("a header line does not end in CR LF")
	errFolded  = errors.New("a header line is folded")
	errLength  = errors.New("the header does not have exactly one body length")
)

// framing tracks, byte by byte, where the requests of a connection begin and end. It passes on whatever net/http refuses
// itself.
type framing struct {
	line     []byte // the current header line, as far as it was read; net/http limits the header
	inHeader bool   // between the request line and the end of the header
	http10   bool   // HTTP/1.0, which has no chunked coding
	length   int64  // Content-Length; -1: none yet
	chunked  bool
	body     int64 // remaining bytes of the body
	done     bool  // a chunked body has begun: nothing more is checked, because closeAfterAmbiguous closes the connection
}

// check processes the next bytes. On an error, the first good bytes may be passed on.
func (f *framing) check(p []byte) (good int, err error) {
	for at := 0; at < len(p) && !f.done; {
		if f.body > 0 {
			n := min(f.body, int64(len(p)-at))
			f.body -= n
			at += int(n)
			continue
		}
		end := bytes.IndexByte(p[at:], '\n')
		if end < 0 {
			f.line = append(f.line, p[at:]...)
			break
		}
		f.line = append(f.line, p[at:at+end]...)
		if err := f.endLine(); err != nil {
			return at + end, err
		}
		f.line = f.line[:0]
		at += end + 1
	}
	return len(p), nil
}

// endLine checks a complete header line.
func (f *framing) endLine() error {
	line, ok := bytes.CutSuffix(f.line, []byte("\r"))
	switch {
	case !ok || bytes.IndexByte(line, '\r') >= 0:
		return errLineEnd
	case !f.inHeader && len(line) > 0:
		f.inHeader, f.length, f.chunked = true, -1, false
		f.http10 = bytes.HasSuffix(line, []byte("HTTP/1.0"))
		return nil
	case !f.inHeader: // an empty line before a request, which net/http skips or refuses
		return nil
	case len(line) == 0:
		f.inHeader, f.body, f.done = false, max(f.length, 0), f.chunked
		return nil
	case line[0] == ' ' || line[0] == '\t':
		return errFolded
	}
	return f.field(line)
}

// field parses a header field that defines the body's length. It refuses a second one, and a length that is not a number.
func (f *framing) field(line []byte) error {
	name, value, _ := bytes.Cut(line, []byte(":"))
	switch string(bytes.ToLower(name)) {
	case "content-length":
		length, err := strconv.ParseUint(string(bytes.Trim(value, " \t")), 10, 63)
		if err != nil || f.length >= 0 || f.chunked {
			return errLength
		}
		f.length = int64(length)
	case "transfer-encoding":
		if f.length >= 0 || f.chunked || f.http10 {
			return errLength
		}
		f.chunked = true // net/http refuses any other coding
	}
	return nil
}
