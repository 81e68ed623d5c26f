package progress

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/pause"
	"mkio-bridge/internal/streams"
)

// When a value is written.
const (
	Step   = 5                // points from the last value
	MaxAge = 30 * time.Second // since the last value, whatever the new one is
)

// Times of the writer.
const (
	checkInterval = 30 * time.Second // between two comparisons of the bucket with the log
	writeTimeout  = 5 * time.Second
)

// A writer writes values to the bucket, and deletes them. mu guards the fields below it; nothing is called under it.
type writer struct {
	Config
	follower *follower
	wake     chan struct{} // holds a token while something is pending
	trouble  trouble       // with writing to the bucket

	mu      sync.Mutex
	offered map[string]offer           // the last value of each job that was to be written
	pending map[string]*event.Progress // values to write; nil: to delete
}

// An offer is the last value of a job that was to be written.
type offer struct {
	life    string
	percent int
	at      time.Time
}

func newWriter(c Config, f *follower) *writer {
	return &writer{Config: c, follower: f, wake: make(chan struct{}, 1), offered: map[string]offer{}, pending: map[string]*event.Progress{}}
}

// put has a value written, if it is far enough from the last one, or that is old.
func (w *writer) put(resource string, p event.Progress, now time.Time) {
	p.Source = w.BaseURL + p.Source
	w.mu.Lock()
	defer w.mu.Unlock()
	last, known := w.offered[resource]
	if known && last.life == p.Life && distance(last.percent, p.Percent) < Step && now.Sub(last.at) < MaxAge {
		return
	}
	w.offered[resource] = offer{p.Life, p.Percent, now}
	w.pending[resource] = &p
	w.wakeUp()
}

func distance(a, b int) int { return max(a-b, b-a) }

// delete has the value of a job deleted, if there may be one. While the bucket cannot be used, nothing of the job stays pending:
// what the bucket has then is found by check.
func (w *writer) delete(resource string) {
	_, stored := w.follower.get(resource, time.Now())
	usable := w.follower.isUsable()
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.offered[resource]; !known && !stored {
		return
	}
	delete(w.offered, resource)
	delete(w.pending, resource)
	if usable {
		w.pending[resource] = nil
		w.wakeUp()
	}
}

func (w *writer) wakeUp() {
	select {
	case w.wake <- struct{}{}:
	default: // a token is waiting already
	}
}

// run writes what is pending, and compares the bucket with the log, until the context ends.
func (w *writer) run(ctx context.Context) {
	check := time.NewTicker(checkInterval)
	defer check.Stop()
	retry := minRetry
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		case <-w.follower.attached:
		case <-check.C:
			w.check(time.Now())
		}
		if w.flush(ctx) == nil {
			retry = minRetry
			continue
		}
		if pause.For(ctx, retry) == nil {
			w.wakeUp()
		}
		retry = min(2*retry, maxRetry)
	}
}

// check has the values of ended jobs deleted that the bucket still has, and forgets jobs of which no value came for long: another
// bridge polls them now.
func (w *writer) check(now time.Time) {
	for resource, p := range w.follower.all(now) {
		if w.Ended(resource, p.Key) {
			w.delete(resource)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for resource, last := range w.offered {
		if now.Sub(last.at) > valueTTL {
			delete(w.offered, resource)
			delete(w.pending, resource)
		}
	}
}

// flush writes what is pending while the bucket can be used. After an error the rest stays pending.
func (w *writer) flush(ctx context.Context) error {
	for w.follower.isUsable() && ctx.Err() == nil {
		resource, p, found := w.next()
		if !found {
			return nil
		}
		err := w.write(ctx, resource, p)
		if err != nil {
			w.putBack(resource, p)
			w.trouble.report(w.Config, "write", err)
			return err
		}
		w.trouble.over(w.Config, "write")
	}
	return nil
}

// next takes one of the pending values.
func (w *writer) next() (resource string, p *event.Progress, found bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for resource, p = range w.pending {
		delete(w.pending, resource)
		return resource, p, true
	}
	return "", nil, false
}

// putBack makes a value pending again, unless there is a newer one.
func (w *writer) putBack(resource string, p *event.Progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, newer := w.pending[resource]; !newer {
		w.pending[resource] = p
	}
}

// write writes or deletes a value.
func (w *writer) write(ctx context.Context, resource string, p *event.Progress) error {
	names := w.Streams.Names
	msg, err := names.ProgressMessage(resource, p)
	if err != nil {
		w.Log.Debug("progress of a job cannot be encoded", "resource", resource, "error", err)
		return nil
	}
	if api := streams.APIPrefix(w.JS); api != jetstream.DefaultAPIPrefix { // of a domain: as clients of buckets publish there
		msg.Subject = api + msg.Subject
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	_, err = w.JS.PublishMsg(ctx, msg, jetstream.WithExpectStream(names.ProgressStream()), jetstream.WithRetryAttempts(0))
	return err
}
