package main

import (
	"log/slog"
	"strings"

	"mkio-bridge/internal/admin"
)

// A logLevel is a setting that can be changed while the bridge runs. All copies of it are one.
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

// Level is the level as it is now; info where it was never set.
func (l logLevel) Level() slog.Level {
	if l.now == nil {
		return slog.LevelInfo
	}
	return l.now.Level()
}

func (l logLevel) String() string { return strings.ToLower(l.Level().String()) }
