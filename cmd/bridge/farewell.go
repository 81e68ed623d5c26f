package main

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Times of a farewell. With the requests in hand it must be over before supervisors kill.
const (
	askedLately = 30 * time.Second // who asked for /readyz that long ago is likely to ask again
	noticeTime  = 4 * time.Second  // at most, until they have
	moveTime    = time.Second      // for deliveries to go elsewhere from then on
)

// A farewell lets a bridge go on taking deliveries for a moment after it was told to stop: a load balancer sends them
// here until it has asked for /readyz once more, and would lose those in between. Where nobody asks, there is nobody to
// wait for.
type farewell struct {
	asked atomic.Int64 // when /readyz was last asked for, in nanoseconds since 1970
	over  sync.Once
	heard chan struct{} // closed when somebody was told that the bridge stops
}

func newFarewell() *farewell { return &farewell{heard: make(chan struct{})} }

// ask notes that somebody asks whether the bridge is ready, and what they are told: whether it stops.
func (f *farewell) ask(stops bool) {
	f.asked.Store(time.Now().UnixNano())
	if stops {
		f.over.Do(func() { close(f.heard) })
	}
}

// wait waits until the bridge may close its doors.
func (f *farewell) wait() {
	if time.Since(time.Unix(0, f.asked.Load())) > askedLately {
		return
	}
	notice := time.NewTimer(noticeTime)
	defer notice.Stop()
	select {
	case <-f.heard:
		time.Sleep(moveTime)
	case <-notice.C:
	}
}

// sendElsewhere has senders that stay connected come by another connection, and so to another bridge, when this one
// stops.
func sendElsewhere(stopping context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if stopping.Err() != nil {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
