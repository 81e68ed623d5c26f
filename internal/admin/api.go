package admin

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/pprof" // also registers with http.DefaultServeMux, which is not served

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/ingest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/status"
)

// A Retrier decides again about the unapplied delivery that is stored at a sequence: it commits an event if the delivery is
// news, and deletes the delivery if the log has its state. With a nil error the result has the outcome and its reason. After
// an error it may be called again.
type Retrier interface {
	Retry(ctx context.Context, sequence uint64, u lifecycle.Unapplied, options ingest.RetryOptions) (ingest.RetryResult, error)
}

// A StatusReader returns the status of the installation. It never fails: what cannot be read is a problem in it.
type StatusReader interface {
	Status(ctx context.Context) status.Status
}

// Config configures an API.
type Config struct {
	Status   StatusReader
	Events   *eventlog.Log
	Retrier  Retrier
	LogLevel *Level
	Token    func() string   // returns the current bearer token; "": none
	Loopback bool            // only this machine can reach the listener
	Pprof    bool            // serve profiles
	Stopping context.Context // ends when the bridge begins to stop, so that event streams end too
	Log      *slog.Logger
}

// An API serves requests of operators.
type API struct {
	c       Config
	readers *readers
}

// New returns an API.
func New(c Config) *API { return &API{c, newReaders()} }

// Register adds the API's routes to a mux. Without a token it adds them only if the listener is on loopback.
func (a *API) Register(mux *http.ServeMux) {
	if a.c.Token() == "" && !a.c.Loopback {
		return
	}
	mux.Handle("GET /v1/resources", a.authorized(withParameters(resourceParameters, a.readers.limited(a.listResources))))
	mux.Handle("GET /v1/resources/{kind}/{project}/{name...}", a.authorized(withParameters(nil, a.getResource)))
	mux.Handle("GET /v1/events", a.authorized(withParameters(eventParameters, a.readers.limited(a.streamEvents))))
	mux.Handle("GET /v1/status", a.authorized(withParameters(nil, a.getStatus)))
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

// writeJSON writes an object as the response. A stored payload in it keeps its bytes, so that its hash can be checked.
func writeJSON(w http.ResponseWriter, object any) {
	w.Header().Set("Content-Type", "application/json")
	_ = newEncoder(w).Encode(object) // an error means that the client is gone
}

// newEncoder returns an encoder that writes one object per line, without HTML escapes.
func newEncoder(w http.ResponseWriter) *json.Encoder {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder
}
