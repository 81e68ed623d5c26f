package edge

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Times of a stop. All of it must be over before supervisors kill, which they do after ten seconds.
const (
	askedLately = 30 * time.Second // who asked for readiness that long ago is likely to ask again
	noticeTime  = 4 * time.Second  // at most, until they have
	moveTime    = time.Second      // for deliveries to go elsewhere from then on

	DrainTime = 9*time.Second - noticeTime // for the requests in flight
)

// A LameDuck lets a server go on for a moment after it was told to stop: a load balancer sends requests here until it has
// asked for readiness once more, and would lose those in between. Where nobody asks, there is nobody to wait for.
type LameDuck struct {
	asked atomic.Int64 // when readiness was last asked for, in nanoseconds since 1970
	once  sync.Once
	heard chan struct{} // closed when a client was told that the server stops
}

// NewLameDuck returns one that nobody has asked yet.
func NewLameDuck() *LameDuck { return &LameDuck{heard: make(chan struct{})} }

// Asked notes that a client asks for readiness, and what it is told: whether the server stops.
func (d *LameDuck) Asked(stops bool) {
	d.asked.Store(time.Now().UnixNano())
	if stops {
		d.once.Do(func() { close(d.heard) })
	}
}

// Wait waits until the server may close its listener.
func (d *LameDuck) Wait() {
	if time.Since(time.Unix(0, d.asked.Load())) > askedLately {
		return
	}
	notice := time.NewTimer(noticeTime)
	defer notice.Stop()
	select {
	case <-d.heard:
		time.Sleep(moveTime)
	case <-notice.C:
	}
}

// SendElsewhere has clients that stay connected come by another connection, and so to another server, when this one
// stops.
func SendElsewhere(stopping context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if stopping.Err() != nil {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
