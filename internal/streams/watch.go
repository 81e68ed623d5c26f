package streams

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/pause"
)

// Times of a watcher.
const (
	defaultEvery = 30 * time.Second // between two surveys, where NewWatcher is given 0
	minPause     = 2 * time.Second  // between two surveys, however often the watcher is woken, as it is while something is wrong
	surveyTime   = 10 * time.Second // for one survey: JetStream's API may be busy with others
	recreateWait = time.Second      // before a missing stream is created again
	recreateTime = 20 * time.Second // for creating all of them
)

// A Watcher surveys the streams, says what is wrong with them, and creates again those that are missing, where its
// configuration lets it. It cannot judge what the streams hold: its user, who writes to them, does so within each survey
// ([Watcher.Run]), and notes the result here.
type Watcher struct {
	js       jetstream.JetStream
	config   Config
	log      *slog.Logger
	every    time.Duration
	wake     chan struct{} // holds a token when a survey is due before its time
	findings findings

	reporting sync.Mutex // guards what follows
	reported  string     // what was last logged of the streams
}

// NewWatcher returns a watcher of streams that [Ensure] has checked. every is the time between two surveys while all is well;
// 0: half a minute.
func NewWatcher(js jetstream.JetStream, c Config, every time.Duration, log *slog.Logger) *Watcher {
	if every == 0 {
		every = defaultEvery
	}
	return &Watcher{js: js, config: c, log: log, every: every, wake: make(chan struct{}, 1), findings: findings{config: c}}
}

// Run surveys the streams at an interval until the context ends, and sooner after [Watcher.Wake]. Both functions are its
// user's. survey asks about the streams ([Watcher.Ask]), judges what they hold, notes both ([Watcher.Note],
// [Watcher.NoteLog]), and returns whether JetStream answered all. probe is called where something is wrong and tries a write
// ([Watcher.NoteWrites]), because only a write tells whether events can be stored.
func (w *Watcher) Run(ctx context.Context, survey func(context.Context) (answered bool), probe func(context.Context)) {
	for before := true; ctx.Err() == nil; w.awaitNext(ctx) { // before: whether the last survey was answered
		answered := inTime(ctx, survey)
		if missing := w.findings.condition().missing; len(missing) > 0 && w.config.Create && w.recreate(ctx, missing) {
			inTime(ctx, survey)
		}
		if ctx.Err() != nil {
			return
		}
		if !answered || w.findings.condition().ofStreams() != nil {
			probe(ctx)
		}
		if answered != before {
			before = answered
			w.reportAnswered(answered)
		}
		w.Report()
	}
}

// inTime calls survey with its time limit.
func inTime(ctx context.Context, survey func(context.Context) bool) bool {
	ctx, cancel := context.WithTimeout(ctx, surveyTime)
	defer cancel()
	return survey(ctx)
}

// awaitNext waits for minPause, and then until somebody wakes the watcher or the next survey is due.
func (w *Watcher) awaitNext(ctx context.Context) {
	if pause.For(ctx, min(minPause, w.every)) != nil {
		return
	}
	timer := time.NewTimer(w.every)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-w.wake:
	case <-timer.C:
	}
}

// Wake makes the next survey due, once minPause is over.
func (w *Watcher) Wake() {
	select {
	case w.wake <- struct{}{}:
	default: // it is due already
	}
}

// Answers are what JetStream answered about the streams.
type Answers struct {
	Infos map[string]*jetstream.StreamInfo // of the streams that exist, by their names
	wrong map[string]error                 // by the name of each stream that was answered about; nil: it is as it must be
	asked int
}

// All says whether JetStream answered about every stream.
func (a Answers) All() bool { return len(a.wrong) == a.asked }

// Ask asks about all streams at the same time.
func (w *Watcher) Ask(ctx context.Context) Answers {
	wanted := w.config.all()
	found, errs := make([]*jetstream.StreamInfo, len(wanted)), make([]error, len(wanted))
	var asking sync.WaitGroup
	for i, want := range wanted {
		asking.Go(func() { found[i], errs[i] = inspect(ctx, w.js, want, w.config) })
	}
	asking.Wait()
	a := Answers{map[string]*jetstream.StreamInfo{}, map[string]error{}, len(wanted)}
	for i, want := range wanted {
		if found[i] != nil {
			a.Infos[want.Name] = found[i]
		}
		if found[i] != nil || errors.Is(errs[i], jetstream.ErrStreamNotFound) {
			a.wrong[want.Name] = errs[i]
		}
	}
	return a
}

// Note records what was answered.
func (w *Watcher) Note(a Answers) { w.findings.note(a.wrong) }

// NoteLog records why the log must not be written though it exists; nil: it may be.
func (w *Watcher) NoteLog(err error) { w.findings.noteLog(err) }

// NoteWrites records why a probe could not write; nil: it could.
func (w *Watcher) NoteWrites(err error) { w.findings.noteWrites(err) }

// Surveyed says whether at least one survey has ended.
func (w *Watcher) Surveyed() bool { return w.findings.surveyed() }

// LogErr says why the log must not be written; nil when it may be, as far as JetStream has answered.
func (w *Watcher) LogErr() error { return w.findings.condition().logErr }

// Err says all that is wrong, as far as JetStream has answered; nil when all is as the bridge needs it.
func (w *Watcher) Err() error { return w.findings.condition().all() }

// recreate creates the streams that are missing, and says whether it did. Other bridges may do so at the same time: one of
// them is first.
func (w *Watcher) recreate(ctx context.Context, missing []string) bool {
	// Somebody may have deleted a stream to create it with another configuration, and gets the time for that. And the
	// server removes a deleted stream in the background, and must not find the new one there.
	if pause.For(ctx, recreateWait) != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, recreateTime)
	defer cancel()
	for _, want := range w.config.all() {
		if !slices.Contains(missing, want.Name) {
			continue
		}
		err := ensureAlone(ctx, w.js, want, w.config)
		if _, other := errors.AsType[unfit](err); other {
			continue // somebody created it with another configuration, of which the next survey tells
		}
		if err != nil {
			w.log.Error("a stream is missing and cannot be made again; it is tried again", "stream", want.Name, "error", err)
			return false
		}
		if want.Name == w.config.Names.EventStream() {
			w.log.Error("the event log was missing and was made again: the log begins anew, and what it held is lost", "stream", want.Name)
			continue
		}
		w.log.Error("a stream was missing and was made again", "stream", want.Name)
	}
	return true
}

// Report logs what is wrong, when that is not what it logged last.
func (w *Watcher) Report() {
	w.reporting.Lock()
	defer w.reporting.Unlock()
	found, text := w.Err(), ""
	if found != nil {
		text = found.Error()
	}
	if text == w.reported {
		return
	}
	w.reported = text
	if found == nil {
		w.log.Info("JetStream is as the bridge needs it again")
		return
	}
	w.log.Error("JetStream is not as the bridge needs it; /readyz tells", "error", found)
}

// reportAnswered logs that JetStream's API does not answer, or answers again.
func (w *Watcher) reportAnswered(answered bool) {
	if answered {
		w.log.Info("JetStream's API answers again about the streams")
		return
	}
	w.log.Warn("JetStream's API does not answer about the streams, its queue may be full of other requests; whether events are stored, writes tell", "waited", surveyTime)
}
