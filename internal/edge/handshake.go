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

// A tlsConn begins TLS at its first read, within the time for a header. net/http does not, because it must be given
// connections that are looked at inside TLS ([framedConn]).
type tlsConn struct {
	*tls.Conn
	failed func(remote net.Addr, err error)
	begun  bool
}

func (c *tlsConn) Read(p []byte) (int, error) {
	if !c.begun {
		c.begun = true
		if err := c.HandshakeContext(context.Background()); err != nil { // every read and write says so again
			c.failed(c.RemoteAddr(), err)
			explainTLS(err)
		}
	}
	return c.Conn.Read(p)
}

// tlsFailed says why a client does not come in: MK.IO or a proxy may be among them, when a certificate has ended or is
// another. Strangers can cause it too, so that a line a minute is a warning. Who leaves at once is a probe.
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

// explainTLS answers a client that speaks HTTP without TLS.
func explainTLS(err error) {
	record, ok := errors.AsType[tls.RecordHeaderError](err)
	if !ok || record.Conn == nil || !bytes.ContainsAny(record.RecordHeader[:1], "CDGHOP") { // what methods begin with
		return
	}
	_, _ = io.WriteString(record.Conn, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nspeak https here\n")
}
