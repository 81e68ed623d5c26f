package publish

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/pause"
	"mkio-bridge/internal/streams"
)

// A watchdog tests by a probe, which is a write, whether JetStream stores, and closes the circuit breakers again when it
// does. Beside the probes it runs the watcher of the streams, and has the follower check whether the log is still the cached
// one.
type watchdog struct {
	nc               *nats.Conn
	js               jetstream.JetStream
	names            event.Names
	streams          *streams.Watcher
	follower         *follower
	logBreaker       *breaker      // of the log
	unappliedBreaker *breaker      // of MKIO_UNAPPLIED
	wake             chan struct{} // buffered: a signal to probe soon

	probing   chan struct{} // semaphore: held while a caller probes; guards the fields below
	probedAt  time.Time     // when the last complete probe ended
	lastWrite writeCheck

	unapplied         atomic.Uint64 // deliveries in MKIO_UNAPPLIED
	unappliedPermille atomic.Uint64 // used share of the size limit of MKIO_UNAPPLIED, in thousandths
}

func newWatchdog(nc *nats.Conn, js jetstream.JetStream, c Config, f *follower) *watchdog {
	wake := make(chan struct{}, 1)
	c.Streams.Names = c.Names
	return &watchdog{
		nc: nc, js: js, names: c.Names, follower: f, wake: wake, probing: make(chan struct{}, 1),
		streams:          streams.NewWatcher(js, c.Streams, c.SurveyInterval, c.Log),
		logBreaker:       newBreaker(c.Names.EventStream(), c.Log, wake),
		unappliedBreaker: newBreaker(c.Names.UnappliedStream(), c.Log, wake),
	}
}

// Times of the watchdog.
const (
	wakePause    = 50 * time.Millisecond  // after a wake-up, because many come at once
	closeRetry   = 500 * time.Millisecond // between two attempts to close a breaker
	probeTimeout = ackWait                // for one probe; a caller of /readyz waits meanwhile
)

// run closes open breakers when JetStream stores again, until the context ends. It probes only while a breaker is open,
// after a wake-up or when the connection's status changes. The watcher of the streams runs beside it, because a survey may
// take long.
func (w *watchdog) run(ctx context.Context) {
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { w.streams.Run(ctx, w.survey, w.probe) })
	status := w.nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.DISCONNECTED)
	defer w.nc.RemoveStatusListener(status)
	for {
		var again <-chan time.Time
		if w.storeErr() != nil {
			again = time.After(max(closeRetry, w.logBreaker.backoff()))
		} else if _, err := w.unappliedBreaker.allow(); err != nil {
			again = time.After(max(closeRetry, w.unappliedBreaker.backoff()))
		}
		select {
		case <-ctx.Done():
			return
		case <-status:
		case <-w.wake:
			if pause.For(ctx, max(wakePause, w.logBreaker.backoff(), w.unappliedBreaker.backoff())) != nil {
				return
			}
		case <-again:
		}
		w.streams.Wake()
		w.probe(ctx)
		if ctx.Err() != nil {
			return
		}
		w.streams.Report()
	}
}

// survey queries every stream, checks whether the log is the cached one, and records both. complete reports whether
// JetStream responded to every query.
func (w *watchdog) survey(ctx context.Context) (complete bool) {
	gen, _ := w.logBreaker.allow()
	horizon := w.follower.heads.horizon()
	result := w.queryStreams(ctx)
	complete = result.Complete()
	log, bucket := result.Infos[w.names.EventStream()], result.Infos[w.names.StateStream()]
	var logErr error
	if log != nil && bucket != nil {
		logErr = w.follower.checkSameLog(ctx, log, bucket, horizon)
	}
	w.streams.Record(result)
	if _, ok := errors.AsType[wrongLogError](logErr); ok || logErr == nil && log != nil && bucket != nil {
		w.streams.RecordLogErr(logErr)
	} else if logErr != nil {
		complete = false
	}
	if failed := w.streams.LogErr(); failed != nil && ctx.Err() == nil {
		w.logBreaker.trip(gen, storeError{failed})
	}
	return complete
}

// queryStreams queries every stream, and records the size of MKIO_UNAPPLIED and the end of the log.
func (w *watchdog) queryStreams(ctx context.Context) streams.QueryResult {
	result := w.streams.Query(ctx)
	if info := result.Infos[w.names.UnappliedStream()]; info != nil {
		w.recordUnapplied(info)
	}
	if info := result.Infos[w.names.EventStream()]; info != nil && info.State.NumDeleted == 0 { // else the event at the last sequence may be missing
		w.follower.advanceLogEnd(info.State.LastSeq)
	}
	return result
}

// recordUnapplied records how many deliveries MKIO_UNAPPLIED has, and how much of its size limit they use.
func (w *watchdog) recordUnapplied(info *jetstream.StreamInfo) {
	w.unapplied.Store(info.State.Msgs)
	permille := uint64(0)
	if limit := info.Config.MaxBytes; limit > 0 {
		permille = info.State.Bytes * 1000 / uint64(limit)
	}
	w.unappliedPermille.Store(permille)
}
