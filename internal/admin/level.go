package admin

import (
	"log/slog"
	"strings"
	"sync"
	"time"
)

// A Level is the log level. It can be changed while the bridge runs, for good or for a time (loglevel.go has the requests).
type Level struct {
	current slog.LevelVar
	initial slog.Level // what a change for a time ends in

	mu     sync.Mutex  // guards what follows, and changes of current
	until  time.Time   // when the change ends; zero: when somebody changes the level
	revert *time.Timer // ends the change; nil without until
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

// set changes the level for the time that it lasts; 0: until it is changed again. When that time is over, the level is the
// initial one again, and done is called.
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

// expire ends the change that was to end at until, and says whether it did: a later change may have replaced that one.
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

// shown is the level as an answer shows it.
func (l *Level) shown() levelShown {
	l.mu.Lock()
	defer l.mu.Unlock()
	shown := levelShown{Level: l.String()}
	if !l.until.IsZero() {
		until := l.until.UTC()
		shown.Until = &until
	}
	return shown
}
