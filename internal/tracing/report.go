package tracing

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
)

// A reporter tells what OpenTelemetry has trouble with, now and then: with a collector that is away each batch of spans
// fails. It hears of errors, and of what was wrong in the environment.
type reporter struct {
	log       *slog.Logger
	sometimes *rate.Sometimes
}

func newReporter(log *slog.Logger) reporter {
	return reporter{log, &rate.Sometimes{First: 5, Interval: 10 * time.Minute}}
}

// maxReport bounds what is told of an error, in bytes: a collector's answer may be in it.
const maxReport = 500

// Handle makes it OpenTelemetry's handler of errors.
func (r reporter) Handle(err error) {
	r.sometimes.Do(func() {
		text := err.Error()
		r.log.Warn("traces may be missing; events are written all the same", "error", text[:min(len(text), maxReport)])
	})
}

// Error makes it OpenTelemetry's logger, with the rest below. The values may be headers with credentials, and are not told.
func (r reporter) Error(err error, doing string, _ ...any) {
	r.Handle(fmt.Errorf("%s: %w", doing, err))
}

// Init, Enabled and Info have nothing to do for a logger of errors alone.
func (reporter) Init(logr.RuntimeInfo)    {}
func (reporter) Enabled(int) bool         { return false }
func (reporter) Info(int, string, ...any) {}

// WithValues and WithName change nothing.
func (r reporter) WithValues(...any) logr.LogSink { return r }
func (r reporter) WithName(string) logr.LogSink   { return r }
