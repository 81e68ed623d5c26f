package edge

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Times of a stop. Supervisors kill a process after ten seconds. These add up to eight at most, and leave two for closing
// the rest.
const (
	recentProbe   = 30 * time.Second // a client that probed readiness within this time is likely to probe again
	noticeTimeout = 3 * time.Second  // maximum wait for that probe
	reroutePause  = time.Second      // time for a load balancer to route requests to other servers after its probe

	DrainTimeout = 4 * time.Second // for requests in flight
)

// A LameDuck delays the stop of a server until its readiness probe has failed once: a load balancer sends requests to it
// until then, and would lose them. If nobody probes readiness, there is no delay.
type LameDuck struct {
	lastProbe atomic.Int64 // time of the last readiness probe, in nanoseconds since 1970
	once      sync.Once
	noticed   chan struct{} // closed when a probe got the response that the server is stopping
}

// NewLameDuck returns a LameDuck without a readiness probe.
func NewLameDuck() *LameDuck { return &LameDuck{noticed: make(chan struct{})} }

// Probed records a readiness probe, and whether its response was that the server is stopping.
func (d *LameDuck) Probed(stops bool) {
	d.lastProbe.Store(time.Now().UnixNano())
	if stops {
		d.once.Do(func() { close(d.noticed) })
	}
}

// Wait waits until the server may close its listener.
func (d *LameDuck) Wait() {
	if time.Since(time.Unix(0, d.lastProbe.Load())) > recentProbe {
		return
	}
	notice := time.NewTimer(noticeTimeout)
	defer notice.Stop()
	select {
	case <-d.noticed:
		time.Sleep(reroutePause)
	case <-notice.C:
	}
}

// CloseWhenStopping closes keep-alive connections after their next response once the server is stopping, so that clients
// reconnect to another server.
func CloseWhenStopping(stopping context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if stopping.Err() != nil {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
