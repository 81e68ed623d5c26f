package edge

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"syscall"
)

// A tlsConn does the TLS handshake at its first read, within the time for a header. net/http would do it for a *tls.Conn
// alone, and gets another type: a [framedConn], which checks what comes inside TLS.
type tlsConn struct {
	*tls.Conn
	failed func(remote net.Addr, err error)
	begun  bool
}

func (c *tlsConn) Read(p []byte) (int, error) {
	if !c.begun {
		c.begun = true
		if err := c.HandshakeContext(context.Background()); err != nil { // Read below returns it too
			c.failed(c.RemoteAddr(), err)
			explainTLS(err)
		}
	}
	return c.Conn.Read(p)
}

// tlsFailed logs why a handshake failed. The client may be MK.IO or a proxy that does not trust the certificate, or a
// stranger: so it is a warning once a minute, and else at debug. A client that leaves or stays silent is taken for a probe.
func (l *Listener) tlsFailed(remote net.Addr, err error) {
	level := slog.LevelDebug
	if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, syscall.ECONNRESET) {
		l.warn.Do(func() { level = slog.LevelWarn })
		if l.c.TLSFailed != nil {
			l.c.TLSFailed()
		}
	}
	l.c.Log.Log(context.Background(), level, "no TLS connection came about", "remote", remote.String(), "error", err)
}

// explainTLS answers a client that speaks HTTP without TLS; it does nothing for any other error.
func explainTLS(err error) {
	record, ok := errors.AsType[tls.RecordHeaderError](err)
	if !ok || record.Conn == nil || !bytes.ContainsAny(record.RecordHeader[:1], "CDGHOP") { // first letters of HTTP methods
		return
	}
	_, _ = io.WriteString(record.Conn, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nspeak https here\n")
}
