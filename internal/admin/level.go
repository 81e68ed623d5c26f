package admin

import (
	"log/slog"
	"strings"
	"sync"
	"time"
)

// A Level is how much is logged. It can be changed while the bridge runs.
type Level struct {
	now     slog.LevelVar
	started slog.Level

	mu    sync.Mutex
	until time.Time   // zero: until somebody changes it
	back  *time.Timer // nil without until
}

// NewLevel returns a level as it is at the start.
func NewLevel(started slog.Level) *Level {
	l := &Level{started: started}
	l.now.Set(started)
	return l
}

// Level is the level as it is now.
func (l *Level) Level() slog.Level { return l.now.Level() }

func (l *Level) String() string { return strings.ToLower(l.Level().String()) }

// set changes the level: until it is changed again, or, where lasts is not 0, until so much time is over. Then it is as
// it was at the start, and done is called.
func (l *Level) set(level slog.Level, lasts time.Duration, done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back != nil {
		l.back.Stop()
	}
	l.now.Set(level)
	l.back, l.until = nil, time.Time{}
	if lasts == 0 {
		return
	}
	until := time.Now().Add(lasts)
	l.until = until
	l.back = time.AfterFunc(lasts, func() {
		if l.expire(until) {
			done()
		}
	})
}

// expire ends a change, if it is still the one that was to end now.
func (l *Level) expire(until time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.until.Equal(until) {
		return false
	}
	l.now.Set(l.started)
	l.back, l.until = nil, time.Time{}
	return true
}

// shown is the level, and when it ends; nil: when somebody changes it.
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
