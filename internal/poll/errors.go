package poll

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// ErrStoredCopy is the error of a response that does not show the current state.
var ErrStoredCopy = errors.New("response is a stored copy, by its Date and Age")

// A TokenExpiryError says that the API token expires soon or has expired.
type TokenExpiryError struct{ At time.Time }

func (e *TokenExpiryError) Error() string {
	if time.Now().Before(e.At) {
		return "API token expires soon"
	}
	return "API token has expired"
}

// Reasons why a project is not polled, or is polled although MK.IO's list lacks it.
var (
	ErrProjectNameless = errors.New("MK.IO lists the project without a name")
	ErrProjectInactive = errors.New("project is not active in MK.IO")
	ErrProjectHidden   = errors.New("MK.IO does not list the project, but responds by its name: it is probably hidden")
)

// An UnpolledParentsError says that a child kind is polled and some of its parent kinds are not. The children of new parents are
// not found then, so that coverage of the kind cannot be verified.
type UnpolledParentsError struct {
	Kind    lifecycle.Kind
	Parents []lifecycle.Kind
}

func (e *UnpolledParentsError) Error() string {
	parents := make([]string, len(e.Parents))
	for i, kind := range e.Parents {
		parents[i] = string(kind)
	}
	return fmt.Sprintf("%s lies below kinds that are not polled: %s", e.Kind, strings.Join(parents, ", "))
}

// errIncomplete is the error of a list that lacks existing resources.
var errIncomplete = errors.New("list is incomplete")

// errNewLog is the error of a sweep during which the event log was replaced.
var errNewLog = errors.New("event log was replaced during the sweep")

// A logError says that the log, or a bucket beside it, cannot be read or written now.
type logError struct{ error }

func (e logError) Unwrap() error { return e.error }

// advice returns what an operator should do about an error; "": there is no advice.
func (p *Poller) advice(err error) string {
	if p.Advise == nil {
		return ""
	}
	return p.Advise(err)
}
