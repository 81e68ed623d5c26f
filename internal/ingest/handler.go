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

// Limits of the requests in hand. What does not fit is answered 429 at once and comes again.
const (
	maxRequests  = 1024     // the log takes a few thousand writes a second: more would only wait
	bodyRoom     = 16 << 20 // bytes of bodies; the worst take sixteen times as much while they are decoded
	firstRoom    = 4 << 10  // bytes that a body is given at first
	retryBusy    = "1"      // seconds, when there is no room
	retryStorage = "5"      // seconds, when JetStream cannot store
)

// An Observer commits observations. It returns nil only when the observation is in the log, or the
// verdict says why it is not; it may be called again with the same observation after any error.
type Observer interface {
	Observe(ctx context.Context, o lifecycle.Observation) (lifecycle.Verdict, error)
}

// An UnappliedStore stores deliveries that became no event. It returns nil only when the delivery is stored; storing one body
// again does nothing. The body is lent to it until it returns.
type UnappliedStore interface {
	StoreUnapplied(ctx context.Context, u lifecycle.Unapplied) error
}

// A Deleter deletes a stored delivery by its sequence in MKIO_UNAPPLIED. It returns nil only when the delivery is gone,
// whoever deleted it; it may be called again after any error.
type UnappliedDeleter interface {
	DeleteUnapplied(ctx context.Context, sequence uint64) error
}

// A Previewer says what an Observer would make of an observation now, and writes nothing.
type Previewer interface {
	Preview(ctx context.Context, o lifecycle.Observation) (lifecycle.Verdict, error)
}

// Config is what a handler needs.
type Config struct {
	Observer  Observer
	Previewer Previewer
	Unapplied UnappliedStore
	Deleter   UnappliedDeleter // of what was retried and is in the log
	Decoder   mkio.Decoder
	// Secrets returns the secrets that authenticate a delivery; none: every delivery is accepted.
	// It is called for each request, so that secrets can be rotated.
	Secrets func() []string
	// Origins may ask for deliveries by the CloudEvents handshake; host names, compared whole.
	Origins []string
	MaxBody int64 // bytes
	// MaxBodyName is what MaxBody is called where it is set, for the answer to a larger body; "": it is not named.
	MaxBodyName string
	Log         *slog.Logger
	Token       func(lifecycle.Key) string // names a resource in the log's lines
	Tracer      tracing.Tracer
}

// A Handler answers POST and OPTIONS of the webhook's address.
type Handler struct {
	c        Config
	requests *semaphore.Weighted
	bytes    *semaphore.Weighted
	failures rate.Sometimes // deliveries that could not be stored, to be logged
	refusals refusals
	metrics  *metrics
}

// New returns a handler.
func New(c Config) *Handler {
	return &Handler{
		c:        c,
		requests: semaphore.NewWeighted(maxRequests),
		bytes:    semaphore.NewWeighted(max(bodyRoom, c.MaxBody+1)),
		failures: rate.Sometimes{First: 10, Interval: time.Second},
		metrics:  newMetrics(),
	}
}

// An answer is what the handler says to one request.
type answer struct {
	status     int
	detail     string // told to the sender, where status is an error
	retryAfter string // seconds
	cause      error  // told to the log alone
	stranger   bool   // nothing says that the sender is MK.IO
	probe      bool   // an empty batch: somebody tries whether deliveries arrive

	about *lifecycle.Observation // what the delivery told, where it could be read; of a batch the worst item's; told to the log alone
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	h.metrics.inHand.Inc()
	defer h.metrics.inHand.Dec()
	var a answer
	switch r.Method {
	case http.MethodPost:
		a = h.deliver(w, r)
	case http.MethodOptions:
		a = h.handshake(w, r)
		a.stranger = true
	default:
		w.Header().Set("Allow", allowed)
		a = answer{status: http.StatusMethodNotAllowed, detail: "deliveries come by POST", stranger: true}
	}
	h.answer(w, r, began, a)
}

// Refuse answers a request that is no delivery: one for another address of the listener, or in another protocol.
func (h *Handler) Refuse(w http.ResponseWriter, r *http.Request, status int, detail string) {
	h.answer(w, r, time.Now(), answer{status: status, detail: detail, stranger: true})
}

// answer writes an answer, counts it and logs it.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, began time.Time, a answer) {
	if a.stranger {
		w.Header().Set("Connection", "close") // for two minutes it would keep a place from a sender
	}
	a.write(w)
	took := time.Since(began)
	h.metrics.observe(r.Method, a.status, took)
	h.log(r, a, took)
}

// allowed are the methods of the webhook's address.
const allowed = "POST, OPTIONS"
