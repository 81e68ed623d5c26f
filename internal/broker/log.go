package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
)

// serverLog takes the server's log lines, and keeps the first reason for which it gave up: the server
// tells nobody else.
type serverLog struct {
	log    *slog.Logger
	failed atomic.Pointer[string]
	broken chan error // holds the first error after which a stream takes no more writes
}

// criticalError is in what the server logs when a stream could not be written. It does not try again before it is
// started again, whatever becomes of the disk.
const criticalError = "Critical write error"

// serverSays is the message of its lines; what it said is an attribute.
const serverSays = "nats-server"

func (l *serverLog) Noticef(format string, v ...any) {
	l.log.Debug(serverSays, "said", fmt.Sprintf(format, v...))
}

func (l *serverLog) Warnf(format string, v ...any) {
	l.log.Warn(serverSays, "said", fmt.Sprintf(format, v...))
}

func (l *serverLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.log.Error(serverSays, "said", text)
	if !strings.Contains(text, criticalError) {
		return
	}
	select {
	case l.broken <- errors.New(text):
	default: // one is enough
	}
}

func (l *serverLog) Fatalf(format string, v ...any) {
	reason := fmt.Sprintf(format, v...)
	l.log.Error(serverSays, "said", reason)
	l.failed.CompareAndSwap(nil, &reason)
}

func (l *serverLog) Debugf(string, ...any) {}
func (l *serverLog) Tracef(string, ...any) {}
