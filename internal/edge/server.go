package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Limits of every server.
const (
	HeaderTime = 5 * time.Second
	ReadTime   = 15 * time.Second // of a whole request
	writeTime  = 30 * time.Second
	MaxHeader  = 16 << 10 // bytes
)

// ServerConfig is what a server needs.
type ServerConfig struct {
	Handler     http.Handler
	Refuse      Refuser // answers what the handler is not asked
	IdleTimeout time.Duration
	Log         *slog.Logger
}

// A Refuser answers a request that is refused.
type Refuser func(w http.ResponseWriter, r *http.Request, status int, detail string)

// NewServer returns a server for a [Listener]. It speaks HTTP/1.1 alone: a sender of deliveries gains nothing by HTTP/2,
// and with it a stranger could begin requests and take them back faster than they are refused.
func NewServer(c ServerConfig) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:                      lastRequests(endUnread(c.Handler), c.Refuse),
		Protocols:                    &protocols,
		ReadHeaderTimeout:            HeaderTime,
		ReadTimeout:                  ReadTime,
		WriteTimeout:                 writeTime,
		IdleTimeout:                  c.IdleTimeout,
		MaxHeaderBytes:               MaxHeader,
		DisableGeneralOptionsHandler: true, // OPTIONS * is for the handler to answer
		ErrorLog:                     slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
}

// endUnread has the connection end, when a request was answered before its body was read: the server would wait for
// the rest of it, which a stranger need never send.
func endUnread(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := &bodyEnd{ReadCloser: r.Body, ended: r.ContentLength == 0}
		r.Body = body
		defer func() {
			if !body.ended {
				_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // a writer without deadlines has no connection
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// bodyEnd is a body that knows when it was read to its end.
type bodyEnd struct {
	io.ReadCloser
	ended bool
}

func (b *bodyEnd) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.ended = b.ended || errors.Is(err, io.EOF)
	return n, err
}

// lastRequests has the connection end after a request whose own end another reader might see elsewhere: behind chunks,
// and in HTTP/1.0. Nothing that follows is taken for a request ([framedConn]).
func lastRequests(next http.Handler, refuse Refuser) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) {
			w.Header().Set("Connection", "close")
		}
		if r.ProtoMajor != 1 { // net/http lets the preface of HTTP/2 through
			w.Header().Set("Connection", "close")
			refuse(w, r, http.StatusHTTPVersionNotSupported, "speak HTTP/1.1")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Serve serves until the server is shut down.
func Serve(s *http.Server, l net.Listener) error {
	err := s.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve on %s: %w", l.Addr(), err)
}

// Shutdown takes no more connections and waits for the requests in flight; those that take longer are cut off, which is an
// error.
func Shutdown(s *http.Server, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("requests were still in hand after %s: %w", within, err), s.Close())
	}
	return nil
}
