package edge

import (
	"bytes"
	"errors"
	"net"
	"strconv"
)

// A framedConn lets through to net/http only requests that every parser of HTTP/1.1 ends at the same byte. net/http
// itself accepts some that a proxy in front may parse otherwise: then what one of them takes for a request's body is the
// next request to the other, such as a delivery that passes with somebody else's secret (request smuggling). It must be
// read by one goroutine at a time.
type framedConn struct {
	net.Conn
	framing framing
	err     error // why a line was refused; nothing is read after it
}

// Read returns the bytes up to a refused line's end, and errors from then on: net/http cannot complete the header, calls no
// handler and answers 400.
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

// CloseWrite closes the side that writes. net/http calls it, when it has it, before it closes a connection whose request it
// did not read to the end: a client that still sends would lose the answer otherwise.
func (c *framedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Why a line of a header is refused.
var (
	errLineEnd = errors.New("a line of the header does not end in CR LF")
	errFolded  = errors.New("a line of the header is folded")
	errLength  = errors.New("the header does not tell one length of the body")
)

// framing follows, byte by byte, where the requests of a connection begin and end. What net/http refuses anyway it lets
// through.
type framing struct {
	line    []byte // of a header, as far as it has come; net/http bounds the header
	begun   bool   // the request line has come, the header's end has not
	http10  bool   // HTTP/1.0, which knows no chunks
	length  int64  // Content-Length; -1: none yet
	chunked bool
	body    int64 // bytes of the body that are still to come
	done    bool  // a chunked body has begun: nothing more is checked, since closeAfterAmbiguous closes the connection
}

// check follows the bytes that came. Where it returns an error, those before good may be passed on.
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

// endLine judges a line of a header that is complete.
func (f *framing) endLine() error {
	line, ok := bytes.CutSuffix(f.line, []byte("\r"))
	switch {
	case !ok || bytes.IndexByte(line, '\r') >= 0:
		return errLineEnd
	case !f.begun && len(line) > 0:
		f.begun, f.length, f.chunked = true, -1, false
		f.http10 = bytes.HasSuffix(line, []byte("HTTP/1.0"))
		return nil
	case !f.begun: // an empty line before a request, which net/http skips or refuses
		return nil
	case len(line) == 0:
		f.begun, f.body, f.done = false, max(f.length, 0), f.chunked
		return nil
	case line[0] == ' ' || line[0] == '\t':
		return errFolded
	}
	return f.field(line)
}

// field reads a header field that tells the body's length. A second one, and a length that is no number, are refused.
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
