package broker

import (
	"fmt"
	"log/slog"
	"sync/atomic"
)

// serverLog takes the server's log lines, and keeps the first reason for which it gave up: the server
// tells nobody else.
type serverLog struct {
	log    *slog.Logger
	failed atomic.Pointer[string]
}

func (l *serverLog) Noticef(format string, v ...any) {
	l.log.Debug("nats-server: " + fmt.Sprintf(format, v...))
}

func (l *serverLog) Warnf(format string, v ...any) {
	l.log.Warn("nats-server: " + fmt.Sprintf(format, v...))
}

func (l *serverLog) Errorf(format string, v ...any) {
	l.log.Error("nats-server: " + fmt.Sprintf(format, v...))
}

func (l *serverLog) Fatalf(format string, v ...any) {
	reason := fmt.Sprintf(format, v...)
	l.log.Error("nats-server: " + reason)
	l.failed.CompareAndSwap(nil, &reason)
}

func (l *serverLog) Debugf(string, ...any) {}
func (l *serverLog) Tracef(string, ...any) {}
