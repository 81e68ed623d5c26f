package poll

import (
	"log/slog"
	"sync"
	"time"

	"mkio-bridge/internal/mkio"
)

// An outage is a cause for which everything that is asked of a project fails alike: MK.IO is not reached, or does not know
// the project. It is one warning, whatever failed first, until something is answered again.
//
// mu guards what follows it; nothing is called under it.
type outage struct {
	mu      sync.Mutex
	unknown bool // MK.IO answered that there is no such project
	logged  map[string]bool
}

// Causes of outages.
const (
	causeUnreachable    = "MK.IO is not reached"
	causeUnknownProject = "MK.IO does not know the project"
)

// level is that of the line about an error; first says whether what failed had succeeded before.
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

// project notes what MK.IO answered, asked for the project itself.
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

// answered notes that MK.IO answered a request with what was asked for.
func (o *outage) responded() {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.logged, causeUnreachable)
}

// A listingFailure is why the projects cannot be listed, as it was last logged; zero: they can.
type listingFailure struct {
	reason string
	logged time.Time
}

// level is that of the line about an error: one that lasts is repeated now and then.
func (f *listingFailure) level(err error, now time.Time, every time.Duration) slog.Level {
	reason := reasonOf(err)
	if reason == f.reason && now.Sub(f.logged) < every {
		return slog.LevelDebug
	}
	*f = listingFailure{reason, now}
	return slog.LevelError
}
