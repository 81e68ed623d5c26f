package rule

import (
	"strings"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/mkio"
)

// A Found is what a project has of the rule, without what may be secret.
type Found struct {
	Read    bool // MK.IO has answered whether there is a rule
	Exists  bool
	Enabled bool
	URL     string // scheme and host alone if the rule delivers elsewhere
}

// foundOf describes a rule, nil for none, to the one whose deliveries go to an address.
func foundOf(is *mkio.Rule, address string) Found {
	if is == nil {
		return Found{Read: true}
	}
	f := Found{Read: true, Exists: true, Enabled: is.Enabled, URL: origin(is.URL)}
	if SameAddress(is.URL, address) {
		f.URL = address
	}
	return f
}

// StandingOf returns how the rule stands after [Reconciler.Reconcile] has returned a change and an error.
func StandingOf(c Change, err error) event.LeaderRule {
	standing := event.LeaderRule{Rule: c.Rule, Managed: true, State: event.RuleUnknown, URL: c.Found.URL, Reason: strings.Join(c.Warnings, "; ")}
	if c.Found.Exists {
		standing.Enabled = &c.Found.Enabled
	}
	switch {
	case err == nil && c.Found.Enabled:
		standing.State = event.RuleRight
	case err == nil, c.Found.Exists:
		standing.State = event.RuleWrong
	case c.Found.Read:
		standing.State = event.RuleMissing
	}
	if err != nil {
		standing.Reason = err.Error()
	}
	return standing
}
