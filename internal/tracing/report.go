package tracing

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
)

// A reporter logs OpenTelemetry's errors, rate limited: while the collector is down every batch of spans fails.
type reporter struct {
	log   *slog.Logger
	limit *rate.Sometimes
}

func newReporter(log *slog.Logger) reporter {
	return reporter{log, &rate.Sometimes{First: 5, Interval: 10 * time.Minute}}
}

// maxErrorText is how many bytes of an error are logged: it may contain a collector's response.
const maxErrorText = 500

// Handle implements otel.ErrorHandler: an export failed.
func (r reporter) Handle(err error) {
	r.limit.Do(func() { r.log.Warn("traces may be missing", "error", shortText(err)) })
}

// settingIgnored is logged for an invalid setting without which traces are still exported.
const settingIgnored = "trace setting ignored"

// Error implements logr.LogSink, like the methods below: OpenTelemetry reports invalid settings by it. It does not log the
// values, which may be headers with credentials.
func (r reporter) Error(err error, operation string, _ ...any) {
	r.limit.Do(func() {
		r.log.Warn(settingIgnored, "error", shortText(fmt.Errorf("%s: %w", operation, err)), "do", "correct the OTEL_… variable that the error is about")
	})
}

func shortText(err error) string {
	text := err.Error()
	return text[:min(len(text), maxErrorText)]
}

// Init, Enabled and Info do nothing: only errors are logged.
func (reporter) Init(logr.RuntimeInfo)    {}
func (reporter) Enabled(int) bool         { return false }
func (reporter) Info(int, string, ...any) {}

// WithValues and WithName change nothing.
func (r reporter) WithValues(...any) logr.LogSink { return r }
func (r reporter) WithName(string) logr.LogSink   { return r }
