package rule

import (
	"errors"
	"fmt"
	"net/http"

	"mkio-bridge/internal/mkio"
)

// A DeniedError says that the token lacks a right over webhook rules. Polling still finds every change, but later than a webhook
// would.
type DeniedError struct {
	Project string
	Right   string // MK.IO's name of the missing capability
	Err     error
}

func (e *DeniedError) Error() string {
	return fmt.Sprintf("webhook rule in project %s: token lacks %s: %v", e.Project, e.Right, e.Err)
}

// Unwrap returns MK.IO's error.
func (e *DeniedError) Unwrap() error { return e.Err }

// An OtherURLError says that the rule exists with another URL.
type OtherURLError struct {
	Project, Rule string
	Is, Want      string // the rule's URL and the bridge's, each without its path
}

func (e *OtherURLError) Error() string {
	is := e.Is
	if e.Is == e.Want {
		is = "another path of " + e.Is
	}
	return fmt.Sprintf("webhook rule %s in project %s delivers to %s and not to %s, and may be another bridge's",
		e.Rule, e.Project, is, e.Want)
}

// ErrNoSecret says that no webhook secret is configured. A rule without one would let anybody forge deliveries.
var ErrNoSecret = errors.New("no secret for deliveries is configured")

// An AddressError says that the bridge's public URL is not valid.
type AddressError struct{ Err error }

func (e *AddressError) Error() string { return "public URL of the bridge: " + e.Err.Error() }

// Unwrap returns the error of [Address].
func (e *AddressError) Unwrap() error { return e.Err }

// wrap adds the project to an error of MK.IO, and the missing right to a 403.
func wrap(err error, project, right string) error {
	if mkio.StatusOf(err) == http.StatusForbidden {
		return &DeniedError{Project: project, Right: right, Err: err}
	}
	return fmt.Errorf("webhook rule in project %s: %w", project, err)
}
