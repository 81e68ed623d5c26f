package admin

import (
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"net/http"
	"time"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/event"
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

// Heads is the cache of recorded states. Its methods may be called concurrently.
type Heads interface {
	// Sorted returns the token and the last event of each resource of the kinds and projects (none: of any), deleted ones
	// included, in the order of tokens, from the first token after the given one. An event is valid until the next one.
	Sorted(kinds []lifecycle.Kind, projects []string, after string) iter.Seq2[string, *lifecycle.Fact]
	// IsStuck reports whether a resource whose last event is f is in its state for too long ([durations.Table.Stuck]).
	IsStuck(kind lifecycle.Kind, f lifecycle.Fact, now time.Time) bool
	// LogIdentity returns the identity of the cached log ([eventlog.Bounds]); "" while the cache is being filled.
	LogIdentity() string
}

// A StatusReader returns the status of the installation. It never fails: what cannot be read is a problem in it.
type StatusReader interface {
	Status(ctx context.Context) status.Status
}

// Config configures an API.
type Config struct {
	Status   StatusReader
	Events   *eventlog.Log
	Heads    Heads
	Progress func(resource string) (event.Progress, bool) // how far a running job is; nil: not known
	Retrier  Retrier
	LogLevel *Level
	Token    func() string   // returns the current bearer token of administrators; "": none
	Loopback bool            // only this machine can reach the listener
	Pprof    bool            // serve profiles
	Stopping context.Context // ends when the bridge begins to stop, so that event streams end too
	Log      *slog.Logger
	Instance string // name of the process that answers; "" if it is not known
	Version  string // of that process

	Connections int // that the listener accepts; 0: any number. Event streams use at most half of them

	Jobs        Jobs
	Verify      func(context.Context, audit.Options) (*audit.Report, error)
	Doctor      func(context.Context) iter.Seq[Finding] // of this bridge
	ViewerToken func() string                           // returns the current bearer token of viewers; "", or nil: none
	Settings    func() map[string]string                // returns the effective settings of this process by name, secrets masked
}

// An API serves requests of operators.
type API struct {
	c       Config
	readers *readers
}

// New returns an API.
func New(c Config) *API { return &API{c, newReaders(c.Connections)} }

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
