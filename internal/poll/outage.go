package poll

import (
	"log/slog"
	"sync"
	"time"

	"mkio-bridge/internal/mkio"
)

// An outage makes one warning of errors that have one cause: MK.IO cannot be reached, or does not know the project. The first
// such error is a warning, whichever request it is of; the others are not, until a request succeeds.
//
// mu guards the fields; nothing is called under it.
type outage struct {
	mu      sync.Mutex
	unknown bool            // MK.IO responded 404 for the project itself
	logged  map[string]bool // the causes that were logged
}

// Causes of outages.
const (
	causeUnreachable    = "MK.IO is not reached"
	causeUnknownProject = "MK.IO does not know the project"
)

// level returns the level to log an error at. first says that the failed operation had succeeded before.
func (o *outage) level(err error, first bool) slog.Level {
	o.mu.Lock()
	defer o.mu.Unlock()
	cause := ""
	switch {
	case mkio.IsNetwork(err):
		cause = causeUnreachable
	case o.unknown && mkio.IsNotFound(err):
		cause = causeUnknownProject
	}
	if !first || o.logged[cause] {
		return slog.LevelDebug
	}
	if cause != "" {
		o.markLogged(cause)
	}
	return slog.LevelWarn
}

func (o *outage) markLogged(cause string) {
	if o.logged == nil {
		o.logged = map[string]bool{}
	}
	o.logged[cause] = true
}

// projectResponse notes the result of the last request for the project itself.
func (o *outage) projectResponse(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case mkio.IsNotFound(err):
		o.unknown = true
	case !mkio.IsNetwork(err):
		o.unknown = false
		delete(o.logged, causeUnknownProject)
	}
}

// responded notes that a request succeeded.
func (o *outage) responded() {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.logged, causeUnreachable)
}

// A listingFailure is the last logged error of listing the projects; zero: there is none.
type listingFailure struct {
	reason string // as in metrics
	logged time.Time
}

// level returns the level to log an error at: an error with the same reason as the last is logged once in every period.
func (f *listingFailure) level(err error, now time.Time, every time.Duration) slog.Level {
	reason := reasonOf(err)
	if reason == f.reason && now.Sub(f.logged) < every {
		return slog.LevelDebug
	}
	*f = listingFailure{reason, now}
	return slog.LevelError
}
