package admin

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"mkio-bridge/internal/problem"
)

// Limits of the responses of /v1 that may be as long as the log.
const (
	maxReaders   = 64               // concurrent responses, without event streams; further requests get 429
	maxStreams   = 128              // event streams; each is a consumer of the log, and a connection for as long as a page is open
	stallTimeout = 10 * time.Second // per write: a client that reads nothing for this long is disconnected
	readRate     = 8 << 20          // bytes per second of all responses together: they compete with deliveries for CPU
	rateUnit     = 64 << 10         // bytes per wait for the rate, so that small writes seldom wait

	maxLists = 2 // pages that are read from the cache at a time, further requests wait: each may use a CPU for milliseconds
)

// readers limits the long responses of /v1: their number in flight, and their common rate. Event streams are counted apart: they
// stay open, and would otherwise leave no slot for a page. It also limits how many pages are read from the cache at a time; they
// are short, and have no rate.
type readers struct {
	slots   chan struct{} // holds a token for each response in flight
	streams chan struct{} // holds a token for each event stream
	lists   chan struct{} // holds a token for each page that is read from the cache
	limiter *rate.Limiter // shared by all, in bytes
}

// newReaders returns the limits for a listener of some connections; 0: any number. Streams use at most half of them.
func newReaders(connections int) *readers {
	streams := maxStreams
	if connections > 0 {
		streams = max(1, min(streams, connections/2))
	}
	return &readers{
		slots: make(chan struct{}, maxReaders), streams: make(chan struct{}, streams),
		lists: make(chan struct{}, maxLists), limiter: rate.NewLimiter(readRate, 2*rateUnit),
	}
}

// limited serves a request that reads a part of the log and ends.
func (r *readers) limited(next http.HandlerFunc) http.HandlerFunc {
	return r.inSlot(r.slots, "too many requests read the log: retry later", next)
}

// following serves an event stream.
func (r *readers) following(next http.HandlerFunc) http.HandlerFunc {
	return r.inSlot(r.streams, "too many event streams are open: close one, or retry later", next)
}

// inSlot gives a request a slot while next serves it, or refuses it when all are taken. The response is written at the shared
// rate.
func (r *readers) inSlot(slots chan struct{}, full string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		select {
		case slots <- struct{}{}:
		default:
			w.Header().Set("Retry-After", "5")
			problem.Write(w, http.StatusTooManyRequests, full)
			return
		}
		defer func() { <-slots }()
		limited := &rateLimitedWriter{ResponseWriter: w, ctx: request.Context(), limiter: r.limiter}
		defer limited.extend() // for what net/http still has to flush when next returns
		next(limited, request)
	}
}

// listing calls read when one of maxLists is free. It returns the error of the context if that ends first.
func (r *readers) listing(ctx context.Context, read func() error) error {
	select {
	case r.lists <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.lists }()
	return read()
}

// A rateLimitedWriter writes a response at the shared rate. The response may take any time, as long as its client reads some
// of it within each stallTimeout.
type rateLimitedWriter struct {
	http.ResponseWriter
	ctx     context.Context
	limiter *rate.Limiter
	unpaced int // bytes written without waiting for the rate
}

// Write waits for the rate once per rateUnit bytes.
func (w *rateLimitedWriter) Write(p []byte) (written int, err error) {
	for len(p) > 0 {
		part := p[:min(len(p), rateUnit)]
		if w.unpaced += len(part); w.unpaced >= rateUnit {
			if err := w.limiter.WaitN(w.ctx, w.unpaced); err != nil {
				return written, err
			}
			w.unpaced = 0
		}
		w.extend()
		n, err := w.ResponseWriter.Write(part)
		written += n
		if err != nil {
			return written, err
		}
		p = p[n:]
	}
	return written, nil
}

// Unwrap is used by [http.ResponseController].
func (w *rateLimitedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// extend moves the write deadline. A writer without deadlines is no error.
func (w *rateLimitedWriter) extend() {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(stallTimeout))
}
