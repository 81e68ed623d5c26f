package broker

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
)

// serverLog is the server's logger. It also records why the start failed and when the store failed: the server reports these
// only in its log.
type serverLog struct {
	log         *slog.Logger
	lines       *lineLimiter // of warnings and errors
	failed      atomic.Pointer[string]
	storeFailed chan error // receives the first error of a stream that can no longer be written
}

func newServerLog(log *slog.Logger, storeFailed chan error) *serverLog {
	return &serverLog{log: log, lines: newLineLimiter(log), storeFailed: storeFailed}
}

// writeErrorText is in the server's log line when a stream cannot be written. The server does not write the stream again
// until it is restarted, even if the disk recovers.
const writeErrorText = "Critical write error"

// isWriteError reports whether the format of a log line is that of a stream that cannot be written. Lines about clients
// begin with their address, so that a client's name cannot look like one.
func isWriteError(format string) bool {
	ofStore := strings.HasPrefix(format, "Filestore [") || strings.HasPrefix(format, "RAFT [")
	return ofStore && strings.HasSuffix(format, "] "+writeErrorText+": %v")
}

// serverMessage is the message of the server's log lines; their text is in the attribute "said".
const serverMessage = "nats-server"

func (l *serverLog) Noticef(format string, v ...any) {
	l.log.Debug(serverMessage, "said", fmt.Sprintf(format, v...))
}

func (l *serverLog) Warnf(format string, v ...any) {
	l.lines.write(slog.LevelWarn, false, format, v...)
}

func (l *serverLog) Errorf(format string, v ...any) {
	stops := isWriteError(format)
	l.lines.write(slog.LevelError, stops, format, v...)
	if !stops {
		return
	}
	select {
	case l.storeFailed <- fmt.Errorf(format, v...):
	default: // an error is pending already
	}
}

func (l *serverLog) Fatalf(format string, v ...any) {
	reason := fmt.Sprintf(format, v...)
	l.log.Error(serverMessage, "said", reason)
	l.failed.CompareAndSwap(nil, &reason)
}

func (l *serverLog) Debugf(string, ...any) {}
func (l *serverLog) Tracef(string, ...any) {}
