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
	defaultInterval = 30 * time.Second // between two surveys, if NewWatcher is given 0
	minPause        = 2 * time.Second  // between two surveys, however often the watcher is woken
	surveyTimeout   = 10 * time.Second // for one survey: JetStream's API may be busy
	recreateDelay   = time.Second      // before a missing stream is recreated
	recreateTimeout = 20 * time.Second // for recreating all missing streams
)

// A Watcher surveys the streams, reports their problems, and recreates missing ones if its configuration allows that. It
// cannot check the content of the streams: its caller, which writes to them, does so within each survey ([Watcher.Run]), and
// records the result here.
type Watcher struct {
	js       jetstream.JetStream
	config   Config
	log      *slog.Logger
	interval time.Duration
	wake     chan struct{} // buffered: a signal that the next survey is due
	findings findings

	reporting sync.Mutex // guards the field below
	reported  string     // the problems that were last logged
}

// NewWatcher returns a watcher of streams that [Ensure] has checked. interval is the time between two surveys; 0: 30
// seconds.
func NewWatcher(js jetstream.JetStream, c Config, interval time.Duration, log *slog.Logger) *Watcher {
	if interval == 0 {
		interval = defaultInterval
	}
	return &Watcher{js: js, config: c, log: log, interval: interval, wake: make(chan struct{}, 1), findings: findings{config: c}}
}

// Run surveys the streams at an interval until the context ends, and sooner after [Watcher.Wake]. Its caller provides both
// functions. survey queries the streams ([Watcher.Query]), checks their content, records both ([Watcher.Record],
// [Watcher.RecordLogErr]), and returns whether JetStream responded to every query. probe is called when a survey is
// incomplete or finds a problem, and tests a write ([Watcher.RecordWriteErr]), because only a write shows whether events can
// be stored.
func (w *Watcher) Run(ctx context.Context, survey func(context.Context) (complete bool), probe func(context.Context)) {
	for wasComplete := true; ctx.Err() == nil; w.awaitNext(ctx) { // wasComplete: the last survey was complete
		complete := surveyWithTimeout(ctx, survey)
		if missing := w.findings.condition().missing; len(missing) > 0 && w.config.Create && w.recreate(ctx, missing) {
			surveyWithTimeout(ctx, survey)
		}
		if ctx.Err() != nil {
			return
		}
		if !complete || w.findings.condition().streamsErr() != nil {
			probe(ctx)
		}
		if complete != wasComplete {
			wasComplete = complete
			w.reportAPI(complete)
		}
		w.Report()
	}
}

// surveyWithTimeout calls survey with its time limit.
func surveyWithTimeout(ctx context.Context, survey func(context.Context) bool) bool {
	ctx, cancel := context.WithTimeout(ctx, surveyTimeout)
	defer cancel()
	return survey(ctx)
}

// awaitNext waits for minPause, and then for a wake-up or the end of the interval.
func (w *Watcher) awaitNext(ctx context.Context) {
	if pause.For(ctx, min(minPause, w.interval)) != nil {
		return
	}
	timer := time.NewTimer(w.interval)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-w.wake:
	case <-timer.C:
	}
}

// Wake makes the next survey due as soon as minPause is over.
func (w *Watcher) Wake() {
	select {
	case w.wake <- struct{}{}:
	default: // it is due already
	}
}

// A QueryResult has JetStream's responses about the streams.
type QueryResult struct {
	Infos   map[string]*jetstream.StreamInfo // of the streams that exist, by their names
	errs    map[string]error                 // by the name of each stream with a response; nil: no problem
	queried int
}

// Complete reports whether JetStream responded about every stream.
func (a QueryResult) Complete() bool { return len(a.errs) == a.queried }

// Query requests the info of all streams concurrently.
func (w *Watcher) Query(ctx context.Context) QueryResult {
	configs := w.config.all()
	found, errs := make([]*jetstream.StreamInfo, len(configs)), make([]error, len(configs))
	var querying sync.WaitGroup
	for i, want := range configs {
		querying.Go(func() { found[i], errs[i] = inspect(ctx, w.js, want, w.config) })
	}
	querying.Wait()
	a := QueryResult{map[string]*jetstream.StreamInfo{}, map[string]error{}, len(configs)}
	for i, want := range configs {
		if found[i] != nil {
			a.Infos[want.Name] = found[i]
		}
		if found[i] != nil || errors.Is(errs[i], jetstream.ErrStreamNotFound) {
			a.errs[want.Name] = errs[i]
		}
	}
	return a
}

// Record stores the result of a query.
func (w *Watcher) Record(a QueryResult) { w.findings.record(a.errs) }

// RecordLogErr stores why the log must not be written though it exists; nil: it may be.
func (w *Watcher) RecordLogErr(err error) { w.findings.recordLog(err) }

// RecordWriteErr stores why the last probe could not write; nil: it could.
func (w *Watcher) RecordWriteErr(err error) { w.findings.recordWrites(err) }

// Surveyed reports whether at least one survey has ended.
func (w *Watcher) Surveyed() bool { return w.findings.surveyed() }

// LogErr returns why the log must not be written, as of the last responses; nil: it may be.
func (w *Watcher) LogErr() error { return w.findings.condition().logErr }

// Err returns all problems, as of the last responses; nil: none.
func (w *Watcher) Err() error { return w.findings.condition().err() }

// recreate creates missing streams, and says whether it succeeded. Other bridges may do so at the same time: JetStream
// accepts the first.
func (w *Watcher) recreate(ctx context.Context, missing []string) bool {
	// An operator may have deleted a stream to create it with another configuration, and needs time for that. Also, the
	// server removes a deleted stream in the background, and might remove the new one.
	if pause.For(ctx, recreateDelay) != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, recreateTimeout)
	defer cancel()
	for _, want := range w.config.all() {
		if !slices.Contains(missing, want.Name) {
			continue
		}
		err := ensureStream(ctx, w.js, want, w.config)
		if _, exists := errors.AsType[configError](err); exists {
			continue // created by an operator, with other settings: the next survey reports it
		}
		if err != nil {
			w.log.Error("missing stream cannot be recreated; retrying", "stream", want.Name, "error", err)
			return false
		}
		if want.Name == w.config.Names.EventStream() {
			w.log.Error("event log was missing and was recreated: a new log begins, and the former events are lost", "stream", want.Name)
			continue
		}
		w.log.Error("stream was missing and was recreated", "stream", want.Name)
	}
	return true
}

// Report logs the problems, if they have changed since it last did.
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
		w.log.Info("JetStream streams recovered")
		return
	}
	w.log.Error("JetStream streams have problems; bridge is not ready", "error", found)
}

// reportAPI logs that JetStream's API does not respond, or responds again.
func (w *Watcher) reportAPI(answered bool) {
	if answered {
		w.log.Info("JetStream API responds again")
		return
	}
	w.log.Warn("JetStream API does not respond to queries of the streams; its queue may be full", "waited", surveyTimeout)
}
