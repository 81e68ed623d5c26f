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
	HeaderTime = 5 * time.Second  // to read a header, and TLS before it
	ReadTime   = 15 * time.Second // to read a whole request
	writeTime  = 30 * time.Second // to answer it
	MaxHeader  = 16 << 10         // bytes
)

// ServerConfig is what a server needs.
type ServerConfig struct {
	Handler     http.Handler
	Refuse      Refuser // answers requests that the server refuses before the handler
	IdleTimeout time.Duration
	Log         *slog.Logger
}

// A Refuser answers a request that is refused; detail says why, for people.
type Refuser func(w http.ResponseWriter, r *http.Request, status int, detail string)

// NewServer returns a server for a [Listener]. It speaks HTTP/1.1 alone: a sender of deliveries gains nothing by HTTP/2,
// and with it a stranger could begin and reset requests faster than they are refused (rapid reset).
func NewServer(c ServerConfig) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:                      closeAfterAmbiguous(closeUnreadBody(c.Handler), c.Refuse),
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

// closeUnreadBody closes the connection of a request that was answered before its body was read: net/http would wait for the
// rest of it, which a stranger need never send. A read deadline that has passed ends that wait.
func closeUnreadBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := &trackedBody{ReadCloser: r.Body, ended: r.ContentLength == 0}
		r.Body = body
		defer func() {
			if !body.ended {
				_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // a writer without deadlines has no connection
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// A trackedBody knows whether it was read to its end.
type trackedBody struct {
	io.ReadCloser
	ended bool
}

func (b *trackedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.ended = b.ended || errors.Is(err, io.EOF)
	return n, err
}

// closeAfterAmbiguous closes the connection after a request that another parser might end elsewhere: one with a chunked body,
// or of HTTP/1.0. So nothing that follows is taken for a request, and [framedConn] need not follow it there. It refuses other
// major versions.
func closeAfterAmbiguous(next http.Handler, refuse Refuser) http.Handler {
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

// Serve serves until the server is shut down, which is no error.
func Serve(s *http.Server, l net.Listener) error {
	err := s.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve on %s: %w", l.Addr(), err)
}

// Shutdown accepts no more connections and waits for the requests in flight; those that take longer are cut off, which is
// an error.
func Shutdown(s *http.Server, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("requests were still in hand after %s: %w", within, err), s.Close())
	}
	return nil
}
