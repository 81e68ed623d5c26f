package admin

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"mkio-bridge/internal/problem"
)

// Limits of the answers of /v1 that are as long as the log.
const (
	mostReadings = 64               // at a time; others are answered 429
	stallTime    = 10 * time.Second // for each part of an answer: who takes nothing for so long is disconnected
	readingRate  = 8 << 20          // bytes a second of all together: deliveries share the processor
	readingGrain = 64 << 10         // that wait for their turn together
)

// readings are the long answers of /v1 that are under way.
type readings struct {
	places chan struct{}
	pace   *rate.Limiter
}

func newReadings() *readings {
	return &readings{make(chan struct{}, mostReadings), rate.NewLimiter(readingRate, 2*readingGrain)}
}

// long lets a request in that reads the log, if there is a place for it, and has its answer go no faster than may be.
func (r *readings) long(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		select {
		case r.places <- struct{}{}:
		default:
			w.Header().Set("Retry-After", "5")
			problem.Write(w, http.StatusTooManyRequests, "as many requests read the log as may at a time: come again")
			return
		}
		defer func() { <-r.places }()
		paced := &pacedWriter{ResponseWriter: w, ctx: request.Context(), pace: r.pace}
		defer paced.extend() // for what is left when the answer ends
		next(paced, request)
	}
}

// A pacedWriter is the writer of an answer that may take as long as its reader takes something of it.
type pacedWriter struct {
	http.ResponseWriter
	ctx  context.Context
	pace *rate.Limiter
	owed int // bytes that have not had their turn
}

// Write waits for its turn, once for many small parts.
func (w *pacedWriter) Write(p []byte) (written int, err error) {
	for len(p) > 0 {
		part := p[:min(len(p), readingGrain)]
		if w.owed += len(part); w.owed >= readingGrain {
			if err := w.pace.WaitN(w.ctx, w.owed); err != nil {
				return written, err
			}
			w.owed = 0
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

// Unwrap is for [http.ResponseController].
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// extend puts off the end of the time to write; a writer without deadlines has none.
func (w *pacedWriter) extend() {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(stallTime))
}
