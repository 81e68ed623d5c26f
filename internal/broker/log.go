package broker

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
)

// serverLog takes the server's log lines, and keeps the first reason for which it gave up: the server
// tells nobody else.
type serverLog struct {
	log    *slog.Logger
	lines  *lines // its warnings and errors
	failed atomic.Pointer[string]
	broken chan error // holds the first error after which a stream takes no more writes
}

func newServerLog(log *slog.Logger, broken chan error) *serverLog {
	return &serverLog{log: log, lines: newLines(log), broken: broken}
}

// criticalError is in what the server logs when a stream could not be written. It does not try again before it is
// started again, whatever becomes of the disk.
const criticalError = "Critical write error"

// critical says whether the format of a line is that of a stream that could not be written. Lines of clients begin with
// their address, whatever names they give themselves.
func critical(format string) bool {
	ofStore := strings.HasPrefix(format, "Filestore [") || strings.HasPrefix(format, "RAFT [")
	return ofStore && strings.HasSuffix(format, "] "+criticalError+": %v")
}

// serverSays is the message of its lines; what it said is an attribute.
const serverSays = "nats-server"

func (l *serverLog) Noticef(format string, v ...any) {
	l.log.Debug(serverSays, "said", fmt.Sprintf(format, v...))
}

func (l *serverLog) Warnf(format string, v ...any) {
	l.lines.write(slog.LevelWarn, false, format, v...)
}

func (l *serverLog) Errorf(format string, v ...any) {
	stops := critical(format)
	l.lines.write(slog.LevelError, stops, format, v...)
	if !stops {
		return
	}
	select {
	case l.broken <- fmt.Errorf(format, v...):
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
