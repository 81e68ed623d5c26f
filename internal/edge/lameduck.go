package edge

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Times of a stop. All of it must be over before supervisors kill, which they do after ten seconds: these are eight at most, and
// leave two for what is closed then.
const (
	askedLately = 30 * time.Second // a client that asked for readiness within this time is likely to ask again
	noticeTime  = 3 * time.Second  // how long that is waited for
	moveTime    = time.Second      // for a load balancer that has asked to send requests elsewhere

	DrainTime = 4 * time.Second // for the requests in flight
)

// A LameDuck lets a server go on serving for a moment after it was told to stop: a load balancer sends requests here until it
// has asked for readiness once more, and would lose those in between. Where nobody asks for readiness, it waits for nothing.
type LameDuck struct {
	asked atomic.Int64 // when readiness was last asked for, in nanoseconds since 1970
	once  sync.Once
	heard chan struct{} // closed when a client that asked was told that the server stops
}

// NewLameDuck returns one that nobody has asked yet.
func NewLameDuck() *LameDuck { return &LameDuck{heard: make(chan struct{})} }

// Asked records that a client asked for readiness, and whether it was told that the server stops.
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

// SendElsewhere closes kept-alive connections once the server stops: the client's next connection reaches another server.
func SendElsewhere(stopping context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if stopping.Err() != nil {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
