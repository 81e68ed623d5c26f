package admin

import (
	"log/slog"
	"strings"
	"sync"
	"time"
)

// A Level is the log level. It can be changed while the bridge runs, until the next change or for a limited time (see loglevel.go).
type Level struct {
	current slog.LevelVar
	initial slog.Level // restored when a limited change ends

	mu     sync.Mutex  // protects the fields below, and changes of current
	until  time.Time   // end of a limited change; else zero
	revert *time.Timer // reverts the level at until; nil if until is zero
}

// NewLevel returns the level that a bridge starts with.
func NewLevel(initial slog.Level) *Level {
	l := &Level{initial: initial}
	l.current.Set(initial)
	return l
}

// Level returns the current level: a Level is a [slog.Leveler].
func (l *Level) Level() slog.Level { return l.current.Level() }

func (l *Level) String() string { return strings.ToLower(l.Level().String()) }

// set changes the level, for a duration if lasts is not 0. After that duration the level reverts to the initial one, and
// done is called.
func (l *Level) set(level slog.Level, lasts time.Duration, done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.revert != nil {
		l.revert.Stop()
	}
	l.current.Set(level)
	l.revert, l.until = nil, time.Time{}
	if lasts == 0 {
		return
	}
	until := time.Now().Add(lasts)
	l.until = until
	l.revert = time.AfterFunc(lasts, func() {
		if l.expire(until) {
			done()
		}
	})
}

// expire reverts the change that ends at until, and reports whether it did: a later change may have replaced it.
func (l *Level) expire(until time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.until.Equal(until) {
		return false
	}
	l.current.Set(l.initial)
	l.revert, l.until = nil, time.Time{}
	return true
}

// view returns the level as a response has it.
func (l *Level) view() levelView {
	l.mu.Lock()
	defer l.mu.Unlock()
	view := levelView{Level: l.String()}
	if !l.until.IsZero() {
		until := l.until.UTC()
		view.Until = &until
	}
	return view
}
