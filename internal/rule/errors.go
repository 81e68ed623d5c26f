package rule

import (
	"errors"
	"fmt"
	"net/http"

	"mkio-bridge/internal/mkio"
)

// A DeniedError is for a token that may not do what the rule needs. Nothing is lost by it but time: the poller
// finds what webhooks would have told.
type DeniedError struct {
	Project string
	Right   string // the capability that is missing
	Err     error
}

func (e *DeniedError) Error() string {
	return fmt.Sprintf("the webhook rule in project %s: the token lacks %s: %v", e.Project, e.Right, e.Err)
}

// Unwrap returns MK.IO's answer.
func (e *DeniedError) Unwrap() error { return e.Err }

// An OtherURLError is for a rule of our name that delivers somewhere else.
type OtherURLError struct {
	Project, Rule string
	Is, Want      string // where it delivers and where it is to, without paths
}

func (e *OtherURLError) Error() string {
	is := e.Is
	if e.Is == e.Want {
		is = "another path of " + e.Is
	}
	return fmt.Sprintf("webhook rule %s in project %s delivers to %s and not to %s, and may be another bridge's",
		e.Rule, e.Project, is, e.Want)
}

// ErrNoSecret is for a rule that would have no secret to bring: anybody could make up its deliveries.
var ErrNoSecret = errors.New("there is no secret for deliveries to bring")

// An AddressError is for a public URL that no rule can deliver to.
type AddressError struct{ Err error }

func (e *AddressError) Error() string { return "the bridge's public URL: " + e.Err.Error() }

// Unwrap returns what is wrong with it.
func (e *AddressError) Unwrap() error { return e.Err }

// explain adds to an error of MK.IO's what it is about.
func explain(err error, project, right string) error {
	if mkio.StatusOf(err) == http.StatusForbidden {
		return &DeniedError{Project: project, Right: right, Err: err}
	}
	return fmt.Errorf("the webhook rule in project %s: %w", project, err)
}
