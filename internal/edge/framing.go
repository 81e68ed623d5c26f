package edge

import (
	"bytes"
	"errors"
	"net"
	"strconv"
)

// A framedConn gives net/http only requests that every reader of HTTP/1.1 takes to end at the same byte. net/http
// itself takes some that a proxy in front may read otherwise, and what one of them holds for the body of a request
// would be the next request to the other: a delivery with somebody else's secret. It must be read by one goroutine at
// a time.
type framedConn struct {
	net.Conn
	framing framing
	err     error // what ended the reading
}

// Read returns all up to the line that is refused, without the line's end: so no request is made of it, and net/http
// answers 400.
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

// CloseWrite ends the answers and leaves the connection open, so that an answer is not lost where the rest of a
// request is not read.
func (c *framedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// What is refused.
var (
	errLineEnd = errors.New("a line of the header does not end in CR LF")
	errFolded  = errors.New("a line of the header is folded")
	errLength  = errors.New("the header does not tell one length of the body")
)

// framing follows where requests begin and end. It leaves to net/http what net/http refuses.
type framing struct {
	line    []byte // of a header, as far as it has come; net/http bounds the header
	begun   bool   // the request line has come
	old     bool   // HTTP/1.0, which knows no chunks
	length  int64  // that the header tells; -1: none yet
	chunked bool
	body    int64 // bytes of the body that are still to come
	rest    bool  // a chunked body: lastRequests ends the connection after it
}

// check looks at what came. Where it returns an error, the bytes before good are in order.
func (f *framing) check(p []byte) (good int, err error) {
	for at := 0; at < len(p) && !f.rest; {
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

func (f *framing) endLine() error {
	line, ok := bytes.CutSuffix(f.line, []byte("\r"))
	switch {
	case !ok || bytes.IndexByte(line, '\r') >= 0:
		return errLineEnd
	case !f.begun && len(line) > 0:
		f.begun, f.length, f.chunked = true, -1, false
		f.old = bytes.HasSuffix(line, []byte("HTTP/1.0"))
		return nil
	case !f.begun: // what net/http passes over, or refuses
		return nil
	case len(line) == 0:
		f.begun, f.body, f.rest = false, max(f.length, 0), f.chunked
		return nil
	case line[0] == ' ' || line[0] == '\t':
		return errFolded
	}
	return f.field(line)
}

// field reads what a line says of the body's length: once, and in one way.
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
		if f.length >= 0 || f.chunked || f.old {
			return errLength
		}
		f.chunked = true // net/http refuses any other coding
	}
	return nil
}
