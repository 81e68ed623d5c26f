package ingest

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/tracing"
)

// Limits of the requests in flight. A request over a limit is answered 429 at once; the sender retries.
const (
	maxRequests   = 1024     // JetStream takes a few thousand writes a second: more requests would only queue
	maxBodyBytes  = 16 << 20 // over all bodies in flight; decoding takes up to sixteen times as much memory
	initialBuffer = 4 << 10  // bytes reserved for a body at first
	retryBusy     = "1"      // Retry-After in seconds, when over a limit
	retryStorage  = "5"      // Retry-After in seconds, when JetStream cannot store
)

// An Observer commits observations. It returns nil only when the observation is in the log or the verdict says why it is
// not; after any error it may be called again with the same observation.
type Observer interface {
	Observe(ctx context.Context, o lifecycle.Observation) (lifecycle.Verdict, error)
}

// An UnappliedStore stores deliveries that became no event. It returns nil only when the delivery is stored; storing the
// same body again does nothing. It must not retain the body after it returns.
type UnappliedStore interface {
	StoreUnapplied(ctx context.Context, u lifecycle.Unapplied) error
}

// An UnappliedDeleter deletes an unapplied delivery by its sequence in MKIO_UNAPPLIED. It returns nil only when the delivery
// is gone, even if another process deleted it; after any error it may be called again.
type UnappliedDeleter interface {
	DeleteUnapplied(ctx context.Context, sequence uint64) error
}

// A Previewer returns the verdict that an Observer would reach now, and writes nothing.
type Previewer interface {
	Preview(ctx context.Context, o lifecycle.Observation) (lifecycle.Verdict, error)
}

// Config configures a handler.
type Config struct {
	Observer  Observer
	Previewer Previewer
	Unapplied UnappliedStore
	Deleter   UnappliedDeleter // deletes retried deliveries that the log holds
	Decoder   mkio.Decoder
	// Secrets returns the secrets that authenticate a delivery; if there are none, every delivery is accepted.
	// It is called for each request, so that secrets can be rotated.
	Secrets func() []string
	// Origins are the host names that the CloudEvents handshake allows, compared as a whole.
	Origins []string
	MaxBody int64 // bytes
	// MaxBodyName is the setting that MaxBody comes from, for the 413 response; "": not named.
	MaxBodyName string
	Log         *slog.Logger
	Token       func(lifecycle.Key) string // a resource's subject token, for log lines
	Tracer      tracing.Tracer
}

// A Handler serves POST and OPTIONS at the webhook's address.
type Handler struct {
	c        Config
	requests *semaphore.Weighted
	bytes    *semaphore.Weighted
	failures rate.Sometimes // limits the log lines of deliveries that could not be stored
	refusals refusals
	metrics  *metrics
}

// New returns a handler.
func New(c Config) *Handler {
	return &Handler{
		c:        c,
		requests: semaphore.NewWeighted(maxRequests),
		bytes:    semaphore.NewWeighted(max(maxBodyBytes, c.MaxBody+1)),
		failures: rate.Sometimes{First: 10, Interval: time.Second},
		metrics:  newMetrics(),
	}
}

// A response is what the handler returns to one request.
type response struct {
	status          int
	detail          string // sent where status is an error
	retryAfter      string // seconds
	cause           error  // logged, never sent
	unauthenticated bool   // no valid secret was checked
	emptyBatch      bool   // a sender tests whether deliveries would be accepted

	observation *lifecycle.Observation // of the delivery, or of a batch's worst item; nil if unreadable; logged, never sent
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	h.metrics.inFlight.Inc()
	defer h.metrics.inFlight.Dec()
	var a response
	switch r.Method {
	case http.MethodPost:
		a = h.deliver(w, r)
	case http.MethodOptions:
		a = h.handshake(w, r)
		a.unauthenticated = true
	default:
		w.Header().Set("Allow", allowed)
		a = response{status: http.StatusMethodNotAllowed, detail: "send deliveries by POST", unauthenticated: true}
	}
	h.respond(w, r, began, a)
}

// Refuse responds to a request that is not a delivery: one for another path of the listener, or in another protocol.
func (h *Handler) Refuse(w http.ResponseWriter, r *http.Request, status int, detail string) {
	h.respond(w, r, time.Now(), response{status: status, detail: detail, unauthenticated: true})
}

// respond writes a response, counts it and logs it.
func (h *Handler) respond(w http.ResponseWriter, r *http.Request, began time.Time, a response) {
	if a.unauthenticated {
		w.Header().Set("Connection", "close") // an idle connection would take a connection slot from MK.IO for two minutes
	}
	a.write(w)
	took := time.Since(began)
	h.metrics.observe(r.Method, a.status, took)
	h.log(r, a, took)
}

// allowed are the methods of the webhook's address.
const allowed = "POST, OPTIONS"
