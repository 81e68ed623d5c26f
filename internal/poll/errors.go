package poll

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// ErrStored is for an answer that proves nothing of now.
var ErrStored = errors.New("it is a stored copy, by its Date and Age")

// A TokenEndsError says that the API token ends soon, or has ended.
type TokenEndsError struct{ At time.Time }

func (e *TokenEndsError) Error() string { return "the API token ends soon, or has ended" }

// An UnpolledParentsError says that a kind is polled and kinds that it lies below are not: what is new below new ones of
// those is found by chance alone, so nothing is proven of the kind.
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

// errIncomplete is for a list that lacks resources which exist.
var errIncomplete = errors.New("the list is not believed")

// errAnotherLog is for a sweep that was compared with a log that is no more.
var errNewLog = errors.New("the log became another one meanwhile")

// logError is for a log that cannot take an observation now.
type logError struct{ error }

func (e logError) Unwrap() error { return e.error }

// advice says what to do about an error.
func (p *Poller) advice(err error) string {
	if p.Advise == nil {
		return ""
	}
	return p.Advise(err)
}
