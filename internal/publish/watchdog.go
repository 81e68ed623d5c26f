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

// A watchdog finds out whether JetStream stores, by a probe, which is a write; when it does, the watchdog closes the circuit
// breakers again. Beside the probes it runs the watcher of the streams, and asks the follower whether the log is still the one
// that was read.
type watchdog struct {
	nc               *nats.Conn
	js               jetstream.JetStream
	names            event.Names
	streams          *streams.Watcher
	follower         *follower
	logBreaker       *breaker      // of the log
	unappliedBreaker *breaker      // of MKIO_UNAPPLIED
	wake             chan struct{} // holds a token when it is to probe soon

	turn   chan struct{} // holds a token while a caller probes; it guards what follows
	probed time.Time     // when the last whole probe ended
	proven proof

	unapplied         atomic.Uint64 // deliveries in MKIO_UNAPPLIED
	unappliedPermille atomic.Uint64 // how full MKIO_UNAPPLIED is
}

func newWatchdog(nc *nats.Conn, js jetstream.JetStream, c Config, f *follower) *watchdog {
	wake := make(chan struct{}, 1)
	c.Streams.Names = c.Names
	return &watchdog{
		nc: nc, js: js, names: c.Names, follower: f, wake: wake, turn: make(chan struct{}, 1),
		streams:          streams.NewWatcher(js, c.Streams, c.SurveyInterval, c.Log),
		logBreaker:       newBreaker(c.Names.EventStream(), c.Log, wake),
		unappliedBreaker: newBreaker(c.Names.UnappliedStream(), c.Log, wake),
	}
}

// Times of the watchdog.
const (
	wakePause  = 50 * time.Millisecond  // after a wake-up: many come at once
	closeRetry = 500 * time.Millisecond // between two tries to close a breaker
	lookWait   = ackWait                // for one probe; a caller of /readyz waits meanwhile
)

// run closes open breakers when JetStream stores again, until the context ends. It probes only if something is wrong, and
// runs the watcher of the streams beside that, because a survey may take long.
func (w *watchdog) run(ctx context.Context) {
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { w.streams.Run(ctx, w.survey, w.probe) })
	status := w.nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.DISCONNECTED)
	defer w.nc.RemoveStatusListener(status)
	for {
		var again <-chan time.Time
		if w.trouble() != nil {
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

// survey asks about every stream, checks whether the log is the one that was read, and notes both. It returns whether
// JetStream answered everything.
func (w *watchdog) survey(ctx context.Context) (answered bool) {
	through, _ := w.logBreaker.allow()
	horizon := w.follower.heads.upTo()
	answers := w.ask(ctx)
	answered = answers.All()
	log, view := answers.Infos[w.names.EventStream()], answers.Infos[w.names.StateStream()]
	var other error
	if log != nil && view != nil {
		other = w.follower.sameLog(ctx, log, view, horizon)
	}
	w.streams.Note(answers)
	if _, ok := errors.AsType[otherLog](other); ok || other == nil && log != nil && view != nil {
		w.streams.NoteLog(other)
	} else if other != nil {
		answered = false
	}
	if stuck := w.streams.LogErr(); stuck != nil && ctx.Err() == nil {
		w.logBreaker.trip(through, trouble{stuck})
	}
	return answered
}

// ask asks about every stream, and notes how full MKIO_UNAPPLIED is and where the log ends.
func (w *watchdog) ask(ctx context.Context) streams.Answers {
	answers := w.streams.Ask(ctx)
	if info := answers.Infos[w.names.UnappliedStream()]; info != nil {
		w.noteUnapplied(info)
	}
	if info := answers.Infos[w.names.EventStream()]; info != nil && info.State.NumDeleted == 0 { // else the last may be gone
		w.follower.noteEnd(info.State.LastSeq)
	}
	return answers
}

// noteUnapplied notes how many deliveries MKIO_UNAPPLIED has, and how full it is.
func (w *watchdog) noteUnapplied(info *jetstream.StreamInfo) {
	w.unapplied.Store(info.State.Msgs)
	permille := uint64(0)
	if limit := info.Config.MaxBytes; limit > 0 {
		permille = info.State.Bytes * 1000 / uint64(limit)
	}
	w.unappliedPermille.Store(permille)
}
