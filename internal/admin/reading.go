package admin

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"mkio-bridge/internal/problem"
)

// Limits of the answers of /v1 that may be as long as the log.
const (
	maxReaders = 64               // at a time; others are answered 429
	stallTime  = 10 * time.Second // for each part of an answer: who takes nothing for so long is disconnected
	readRate   = 8 << 20          // bytes a second of all together: deliveries share the processor
	paceUnit   = 64 << 10         // bytes that wait for the rate together, so that small writes seldom wait
)

// readers limits the long answers of /v1: how many are in flight, and at what rate they are written.
type readers struct {
	slots   chan struct{} // holds a token for each answer in flight
	limiter *rate.Limiter // of all together, in bytes
}

func newReaders() *readers {
	return &readers{make(chan struct{}, maxReaders), rate.NewLimiter(readRate, 2*paceUnit)}
}

// limited gives a request a slot while next answers it, or refuses it when all are taken; the answer is written at the rate
// that all share.
func (r *readers) limited(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		select {
		case r.slots <- struct{}{}:
		default:
			w.Header().Set("Retry-After", "5")
			problem.Write(w, http.StatusTooManyRequests, "as many requests read the log as may at a time: come again")
			return
		}
		defer func() { <-r.slots }()
		paced := &pacedWriter{ResponseWriter: w, ctx: request.Context(), limiter: r.limiter}
		defer paced.extend() // for what net/http still has to flush when next returns
		next(paced, request)
	}
}

// A pacedWriter writes an answer at the shared rate. The answer may take any time, while its reader takes some of it within
// each stallTime.
type pacedWriter struct {
	http.ResponseWriter
	ctx     context.Context
	limiter *rate.Limiter
	owed    int // bytes written without waiting for the rate
}

// Write waits for the rate once for every paceUnit bytes.
func (w *pacedWriter) Write(p []byte) (written int, err error) {
	for len(p) > 0 {
		part := p[:min(len(p), paceUnit)]
		if w.owed += len(part); w.owed >= paceUnit {
			if err := w.limiter.WaitN(w.ctx, w.owed); err != nil {
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

// extend moves the write deadline; that a writer has none is no error.
func (w *pacedWriter) extend() {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(stallTime))
}
