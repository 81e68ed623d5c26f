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
	HeaderTimeout  = 5 * time.Second  // to read a header, including the TLS handshake
	ReadTimeout    = 15 * time.Second // to read a whole request
	writeTimeout   = 30 * time.Second // to write the response
	MaxHeaderBytes = 16 << 10         // bytes
)

// ServerConfig configures a server.
type ServerConfig struct {
	Handler     http.Handler
	Refuse      Refuser // responds to requests that the server refuses before the handler
	IdleTimeout time.Duration
	Log         *slog.Logger
}

// A Refuser writes the response to a refused request; detail is the reason, as text.
type Refuser func(w http.ResponseWriter, r *http.Request, status int, detail string)

// NewServer returns a server for a [Listener]. It supports HTTP/1.1 only: HTTP/2 has no benefit for deliveries, and would
// allow a stranger to start and reset requests faster than they are refused (rapid reset).
func NewServer(c ServerConfig) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:                      closeAfterAmbiguous(closeUnreadBody(c.Handler), c.Refuse),
		Protocols:                    &protocols,
		ReadHeaderTimeout:            HeaderTimeout,
		ReadTimeout:                  ReadTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  c.IdleTimeout,
		MaxHeaderBytes:               MaxHeaderBytes,
		DisableGeneralOptionsHandler: true, // the handler serves OPTIONS *
		ErrorLog:                     slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
}

// closeUnreadBody closes the connection after a response that was written before the request's body was read completely:
// net/http would wait for the rest of it, which a stranger may never send. A read deadline in the past ends that wait.
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

// A trackedBody records whether it was read to its end.
type trackedBody struct {
	io.ReadCloser
	ended bool
}

func (b *trackedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.ended = b.ended || errors.Is(err, io.EOF)
	return n, err
}

// closeAfterAmbiguous closes the connection after a request that another parser might end at another byte: one with a
// chunked body, or of HTTP/1.0. So no later data is taken for a request, and [framedConn] need not track it. It refuses
// other major versions.
func closeAfterAmbiguous(next http.Handler, refuse Refuser) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) {
			w.Header().Set("Connection", "close")
		}
		if r.ProtoMajor != 1 { // net/http accepts the preface of HTTP/2
			w.Header().Set("Connection", "close")
			refuse(w, r, http.StatusHTTPVersionNotSupported, "use HTTP/1.1")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Serve serves until the server is shut down, and then returns nil.
func Serve(s *http.Server, l net.Listener) error {
	err := s.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve on %s: %w", l.Addr(), err)
}

// Shutdown accepts no more connections and waits for the requests in flight. It closes the connections of those that take
// longer, and returns an error.
func Shutdown(s *http.Server, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("requests still in flight after %s: %w", within, err), s.Close())
	}
	return nil
}
