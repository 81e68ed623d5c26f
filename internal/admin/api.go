package admin

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/pprof" // it also registers with a mux of net/http's that nobody serves

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/ingest"
	"mkio-bridge/internal/lifecycle"
)

// A Retrier decides again about the unapplied delivery that is stored at a sequence: it commits an event where the delivery
// is news, and deletes the delivery where the log holds what it says. With a nil error the result says what was done, and
// why the rest was not. After any error it may be called again.
type Retrier interface {
	Retry(ctx context.Context, sequence uint64, u lifecycle.Unapplied, options ingest.RetryOptions) (ingest.RetryResult, error)
}

// Config is what an API needs.
type Config struct {
	Events   *eventlog.Log
	Retrier  Retrier
	LogLevel *Level
	Token    func() string   // the bearer token as it is now; "": none
	Loopback bool            // only this machine can reach the listener
	Pprof    bool            // serve profiles
	Stopping context.Context // ends when the bridge begins to stop: streams of events must not hold it up
	Log      *slog.Logger
}

// An API answers requests of operators.
type API struct {
	c       Config
	readers *readers
}

// New returns an API.
func New(c Config) *API { return &API{c, newReaders()} }

// Register adds the API's routes to those of a listener; without a token only when the listener is on loopback.
func (a *API) Register(mux *http.ServeMux) {
	if a.c.Token() == "" && !a.c.Loopback {
		return
	}
	mux.Handle("GET /v1/resources", a.authorized(withParameters(resourceParameters, a.readers.limited(a.listResources))))
	mux.Handle("GET /v1/resources/{kind}/{project}/{name...}", a.authorized(withParameters(nil, a.getResource)))
	mux.Handle("GET /v1/events", a.authorized(withParameters(eventParameters, a.readers.limited(a.streamEvents))))
	mux.Handle("POST /v1/unapplied/{sequence}/retry", sameOrigin(a.authorized(withParameters(retryParameters, a.retryUnapplied))))
	mux.Handle("GET /v1/log-level", a.authorized(withParameters(nil, a.getLogLevel)))
	mux.Handle("PUT /v1/log-level", sameOrigin(a.authorized(withParameters(nil, a.setLogLevel))))
	if a.c.Pprof {
		a.registerProfiles(mux)
	}
}

// registerProfiles adds Go's profiles. A profile may take longer than the server's write timeout: pprof itself extends the
// deadline.
func (a *API) registerProfiles(mux *http.ServeMux) {
	mux.Handle("GET /debug/pprof/", a.authorized(pprof.Index))
	mux.Handle("GET /debug/pprof/profile", a.authorized(pprof.Profile))
	mux.Handle("GET /debug/pprof/trace", a.authorized(pprof.Trace))
}

// writeJSON answers with an object. A stored payload in it stays as it is, so that its hash can be checked.
func writeJSON(w http.ResponseWriter, object any) {
	w.Header().Set("Content-Type", "application/json")
	_ = newEncoder(w).Encode(object) // the reader may be gone
}

// newEncoder returns an encoder that writes objects, one a line, without escapes for HTML.
func newEncoder(w http.ResponseWriter) *json.Encoder {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder
}
