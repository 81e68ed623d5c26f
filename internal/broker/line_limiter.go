package broker

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/time/rate"
)

// Limits of log lines for the server's warnings and errors, which readers can cause as fast as they can send.
const (
	lineBurst     = 50
	lineInterval  = 500 * time.Millisecond // per line, after the burst
	maxLineLength = 1 << 10                // bytes
	linesDropped  = "nats-server log lines dropped"
)

// lineLimiter limits the rate and length of log lines for the server's warnings and errors.
type lineLimiter struct {
	log     *slog.Logger
	limiter *rate.Limiter

	mu      sync.Mutex
	dropped int // since the last written line
}

func newLineLimiter(log *slog.Logger) *lineLimiter {
	return &lineLimiter{log: log, limiter: rate.NewLimiter(rate.Every(lineInterval), lineBurst)}
}

// write writes a line, unless it exceeds the rate and always is false.
func (l *lineLimiter) write(level slog.Level, always bool, format string, v ...any) {
	dropped, ok := l.allow(always)
	if !ok {
		return
	}
	if dropped > 0 {
		l.log.Warn(linesDropped, "lines", dropped)
	}
	l.log.Log(context.Background(), level, serverMessage, "said", truncate(fmt.Sprintf(format, v...)))
}

// allow reports whether a line may be written, and how many were dropped before it.
func (l *lineLimiter) allow(always bool) (dropped int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.limiter.Allow() && !always {
		l.dropped++
		return 0, false
	}
	dropped, l.dropped = l.dropped, 0
	return dropped, true
}

// truncate shortens a text to maxLineLength.
func truncate(text string) string {
	if len(text) <= maxLineLength {
		return text
	}
	cut := maxLineLength
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return strings.Clone(text[:cut]) + "…"
}
