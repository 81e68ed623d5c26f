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

// Bounds of what the server's warnings and errors write into the log. Readers can cause them as fast as they send.
const (
	linesAtOnce  = 50
	linesEvery   = 500 * time.Millisecond // one line, when the burst is used up
	longestLine  = 1 << 10                // bytes
	linesLeftOut = "nats-server lines were left out: there were too many"
)

// lines bounds how many lines the server's warnings and errors become, and how long they are.
type lines struct {
	log     *slog.Logger
	limiter *rate.Limiter

	mu      sync.Mutex
	leftOut int // since the last line that was written
}

func newLines(log *slog.Logger) *lines {
	return &lines{log: log, limiter: rate.NewLimiter(rate.Every(linesEvery), linesAtOnce)}
}

// write writes a line, unless there were too many of late. One that matters is always written.
func (l *lines) write(level slog.Level, matters bool, format string, v ...any) {
	leftOut, ok := l.admit(matters)
	if !ok {
		return
	}
	if leftOut > 0 {
		l.log.Warn(linesLeftOut, "lines", leftOut)
	}
	l.log.Log(context.Background(), level, serverSays, "said", short(fmt.Sprintf(format, v...)))
}

// admit says whether a line may be written, and how many were left out before it.
func (l *lines) admit(matters bool) (leftOut int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.limiter.Allow() && !matters {
		l.leftOut++
		return 0, false
	}
	leftOut, l.leftOut = l.leftOut, 0
	return leftOut, true
}

// short cuts a text that is too long for a line.
func short(text string) string {
	if len(text) <= longestLine {
		return text
	}
	cut := longestLine
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return strings.Clone(text[:cut]) + "…"
}
