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

// A watchdog finds out whether JetStream stores, and opens the gates again when it does. What tells is a probe: a write.
// Beside it the streams are watched; whether the log is still the one that is remembered, the follower knows.
type watchdog struct {
	nc       *nats.Conn
	js       jetstream.JetStream
	names    event.Names
	streams  *streams.Watcher
	follower *follower
	gate     *gate         // of the log
	aside    *gate         // of what becomes no event
	wake     chan struct{} // holds a token when it is to probe soon

	turn   chan struct{} // holds a token while somebody probes, who alone touches what follows
	at     time.Time     // when the last whole probe ended
	proven proof

	unapplied         atomic.Uint64 // deliveries that became no event
	unappliedPermille atomic.Uint64 // of the room for them that is taken
}

func newWatchdog(nc *nats.Conn, js jetstream.JetStream, c Config, f *follower) *watchdog {
	wake := make(chan struct{}, 1)
	c.Streams.Names = c.Names
	return &watchdog{
		nc: nc, js: js, names: c.Names, follower: f, wake: wake, turn: make(chan struct{}, 1),
		streams: streams.NewWatcher(js, c.Streams, c.Look, c.Log),
		gate:    newGate(c.Names.EventStream(), c.Log, wake),
		aside:   newGate(c.Names.UnappliedStream(), c.Log, wake),
	}
}

// Times of the watchdog.
const (
	wakePause = 50 * time.Millisecond  // many wake it at once
	shutLook  = 500 * time.Millisecond // between two tries to open a gate
	lookWait  = ackWait                // for one probe; who probes /readyz waits meanwhile
)

// run sees to it, until the context ends, that gates open again. It probes with writes, and only where something is
// wrong; beside it the streams are watched, which may take long.
func (w *watchdog) run(ctx context.Context) {
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { w.streams.Run(ctx, w.survey, w.probe) })
	status := w.nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.DISCONNECTED)
	defer w.nc.RemoveStatusListener(status)
	for {
		var again <-chan time.Time
		if w.trouble() != nil {
			again = time.After(max(shutLook, w.gate.respite()))
		} else if _, err := w.aside.pass(); err != nil {
			again = time.After(max(shutLook, w.aside.respite()))
		}
		select {
		case <-ctx.Done():
			return
		case <-status:
		case <-w.wake:
			if pause.For(ctx, max(wakePause, w.gate.respite(), w.aside.respite())) != nil {
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

// survey asks about every stream, judges whether the log is the one that is remembered, and notes both; it returns whether
// JetStream answered all.
func (w *watchdog) survey(ctx context.Context) (answered bool) {
	through, _ := w.gate.pass()
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
		w.gate.shut(through, trouble{stuck})
	}
	return answered
}

// ask asks about every stream, and notes how full what became no event is, and where the log ends.
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

// noteUnapplied notes how many deliveries became no event, and how full their stream is.
func (w *watchdog) noteUnapplied(info *jetstream.StreamInfo) {
	w.unapplied.Store(info.State.Msgs)
	permille := uint64(0)
	if limit := info.Config.MaxBytes; limit > 0 {
		permille = info.State.Bytes * 1000 / uint64(limit)
	}
	w.unappliedPermille.Store(permille)
}
