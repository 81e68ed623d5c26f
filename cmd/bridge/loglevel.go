package main

import (
	"log/slog"
	"strings"
	"sync"
	"time"
)

// A logLevel is a setting that can be changed while the bridge runs. All copies of it are one.
type logLevel struct{ state *levelState }

type levelState struct {
	now slog.LevelVar // what is logged

	mu      sync.Mutex
	started slog.Level  // the level of the setting
	until   time.Time   // zero: until somebody changes it
	back    *time.Timer // nil without until
}

// Decode reads a level.
func (l *logLevel) Decode(value string) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(value)); err != nil {
		return err
	}
	l.state = &levelState{started: level}
	l.state.now.Set(level)
	return nil
}

// Level is the level as it is now; info where it was never set.
func (l logLevel) Level() slog.Level {
	if l.state == nil {
		return slog.LevelInfo
	}
	return l.state.now.Level()
}

func (l logLevel) String() string { return strings.ToLower(l.Level().String()) }

// set changes the level: until it is changed again, or, where lasts is not 0, until so much time is over. Then it is as
// it was at the start, and done is called.
func (l logLevel) set(level slog.Level, lasts time.Duration, done func()) {
	l.state.mu.Lock()
	defer l.state.mu.Unlock()
	if l.state.back != nil {
		l.state.back.Stop()
	}
	l.state.now.Set(level)
	l.state.back, l.state.until = nil, time.Time{}
	if lasts == 0 {
		return
	}
	until := time.Now().Add(lasts)
	l.state.until = until
	l.state.back = time.AfterFunc(lasts, func() {
		if l.expire(until) {
			done()
		}
	})
}

// expire ends a change, if it is still the one that was to end now.
func (l logLevel) expire(until time.Time) bool {
	l.state.mu.Lock()
	defer l.state.mu.Unlock()
	if !l.state.until.Equal(until) {
		return false
	}
	l.state.now.Set(l.state.started)
	l.state.back, l.state.until = nil, time.Time{}
	return true
}

// shown is the level, and when it ends; nil: when somebody changes it.
func (l logLevel) shown() levelShown {
	l.state.mu.Lock()
	defer l.state.mu.Unlock()
	shown := levelShown{Level: l.String()}
	if !l.state.until.IsZero() {
		until := l.state.until.UTC()
		shown.Until = &until
	}
	return shown
}
