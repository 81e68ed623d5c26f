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

// A tlsConn does the TLS handshake at its first read, within the header timeout. net/http does the handshake for a *tls.Conn
// only, and here gets a [framedConn], which checks the data inside TLS.
type tlsConn struct {
	*tls.Conn
	failed func(remote net.Addr, err error)
	begun  bool
}

func (c *tlsConn) Read(p []byte) (int, error) {
	if !c.begun {
		c.begun = true
		if err := c.HandshakeContext(context.Background()); err != nil { // Read returns it too
			c.failed(c.RemoteAddr(), err)
			respondToPlainHTTP(err)
		}
	}
	return c.Conn.Read(p)
}

// tlsFailed logs why a handshake failed. The client may be MK.IO or a proxy that does not trust the certificate, or a
// stranger: so the level is warning once a minute, else debug. A client that closes or sends nothing counts as a probe.
func (l *Listener) tlsFailed(remote net.Addr, err error) {
	level := slog.LevelDebug
	if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, syscall.ECONNRESET) {
		l.warnRate.Do(func() { level = slog.LevelWarn })
		if l.c.TLSFailed != nil {
			l.c.TLSFailed()
		}
	}
	l.c.Log.Log(context.Background(), level, "TLS handshake failed", "remote", remote.String(), "error", err)
}

// respondToPlainHTTP responds 400 to a client that speaks HTTP without TLS; it does nothing for any other error.
func respondToPlainHTTP(err error) {
	record, ok := errors.AsType[tls.RecordHeaderError](err)
	if !ok || record.Conn == nil || !bytes.ContainsAny(record.RecordHeader[:1], "CDGHOP") { // first letters of HTTP methods
		return
	}
	_, _ = io.WriteString(record.Conn, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nuse https\n")
}
