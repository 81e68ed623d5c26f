package mkiotell

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Faults say how rude a sender is. Chances are of 1; times are on MK.IO's clock.
type Faults struct {
	Late     float64       // chance that a delivery is late
	LateBy   time.Duration // at most
	Repeat   float64       // chance that a delivery that succeeded is sent again
	RepeatBy time.Duration // at most so much later
	NewID    float64       // chance that such a repeat has an id of its own
}

// Rude is the default: what MK.IO's documentation does not exclude.
var Rude = Faults{Late: 0.2, LateBy: 90 * time.Minute, Repeat: 0.3, RepeatBy: 3 * time.Hour, NewID: 0.3}

// A Sender tells changes by webhook.
type Sender struct {
	// Post makes one request and returns the status of its answer.
	Post   func(ctx context.Context, body []byte) (status int, err error)
	Faults Faults
	Seed   uint64
	Start  time.Time // the moment on MK.IO's clock at which sending begins
	Speed  float64   // seconds of MK.IO's clock in one of ours
}

// A Sent is one delivery and what became of it.
type Sent struct {
	Change   Change
	Body     []byte
	Repeated bool // it was sent, and answered, before
	Attempts int
	Status   int // of the last answer; 0 when none came
}

// firstWait and longestWait bound the pause before a delivery that failed is tried again.
const (
	firstWait   = 10 * time.Second
	longestWait = 10 * time.Minute
)

// Send tells the changes, each at its time or later, until every delivery was answered with success
// or the context ends. It returns every delivery, in no order.
func (s Sender) Send(ctx context.Context, changes []Change) []Sent {
	began := time.Now()
	var (
		mu   sync.Mutex
		sent []Sent
		wg   sync.WaitGroup
	)
	add := func(d Sent) { mu.Lock(); sent = append(sent, d); mu.Unlock() }
	for i, change := range changes {
		rng := rand.New(rand.NewPCG(s.Seed, uint64(i)))
		wg.Go(func() {
			due := change.At.Sub(s.Start) + time.Duration(rng.Int64N(int64(2*time.Second)))
			if rng.Float64() < s.Faults.Late {
				due += time.Duration(rng.Int64N(int64(s.Faults.LateBy)))
			}
			if !s.sleep(ctx, due-s.elapsed(began)) {
				return
			}
			id := newID(rng)
			add(s.deliver(ctx, change, id, false))
			if rng.Float64() >= s.Faults.Repeat {
				return
			}
			if rng.Float64() < s.Faults.NewID {
				id = newID(rng)
			}
			if s.sleep(ctx, time.Duration(rng.Int64N(int64(s.Faults.RepeatBy)))) {
				add(s.deliver(ctx, change, id, true))
			}
		})
	}
	wg.Wait()
	return sent
}

// deliver posts one delivery until it is answered with success.
func (s Sender) deliver(ctx context.Context, change Change, id string, repeated bool) Sent {
	d := Sent{Change: change, Body: change.Delivery(id), Repeated: repeated}
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		d.Attempts++
		status, err := s.Post(ctx, d.Body)
		if err == nil {
			d.Status = status
		}
		if err == nil && status/100 == 2 || !s.sleep(ctx, wait) {
			return d
		}
	}
}

// elapsed is how much time of MK.IO's clock has passed since sending began.
func (s Sender) elapsed(began time.Time) time.Duration {
	return time.Duration(float64(time.Since(began)) * s.Speed)
}

// sleep waits for a while of MK.IO's clock; false when the context ended first.
func (s Sender) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(time.Duration(float64(max(d, 0)) / s.Speed))
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
