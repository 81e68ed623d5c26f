package main

import (
	"log/slog"
	"strings"

	"mkio-bridge/internal/admin"
)

// A logLevel is the level of logging, which can change while the bridge runs. Its copies share one level.
type logLevel struct{ now *admin.Level }

// Decode reads a level.
func (l *logLevel) Decode(value string) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(value)); err != nil {
		return err
	}
	l.now = admin.NewLevel(level)
	return nil
}

// Level returns the current level; info if none was set.
func (l logLevel) Level() slog.Level {
	if l.now == nil {
		return slog.LevelInfo
	}
	return l.now.Level()
}

func (l logLevel) String() string { return strings.ToLower(l.Level().String()) }
