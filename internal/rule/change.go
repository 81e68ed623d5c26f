package rule

import (
	"slices"
	"strings"

	"mkio-bridge/internal/mkio"
)

// SecretHeader carries the secret of each delivery.
const SecretHeader = "X-Webhook-Secret" //nolint:gosec // the name, not the secret

// A Change says what was, or would be, changed of a rule. It contains no secret.
type Change struct {
	Project  string   `json:"project"`
	Rule     string   `json:"rule"`
	Creates  bool     `json:"creates"` // the rule does not exist yet
	Changes  []string `json:"changes"`
	Warnings []string `json:"warnings"`

	Found Found `json:"-"` // the rule as it is after the change
}

// Empty reports whether there is nothing to change.
func (c Change) Empty() bool { return len(c.Changes) == 0 }

func (c *Change) warn(text string) { c.Warnings = append(c.Warnings, text) }

// A secretState says how a rule's secret, which cannot be read, compares with the current one.
type secretState uint8

const (
	secretUnknown secretState = iota // another client put the rule last, or that is not known
	secretChanged                    // the rule was last put with another secret
	secretCurrent
)

// compareSecret compares the secret of the rule with an id, as it was last put, with a secret.
func compareSecret(last lastPut, id, secret string) secretState {
	switch {
	case !last.isOf(id):
		return secretUnknown
	case !last.hasSecret(secret):
		return secretChanged
	}
	return secretCurrent
}

// diff returns the changes from the current rule, nil for none, to the wanted one; none if there is no difference.
func diff(current *mkio.Rule, want mkio.RuleSpec, secret secretState) []string {
	if current == nil {
		return []string{
			"url: " + want.URL,
			"events: " + strings.Join(want.Events, ", "),
			"authentication: secret in header " + SecretHeader,
		}
	}
	var changes []string
	if !current.Enabled {
		changes = append(changes, "enabled: rule was disabled")
	}
	if current.URL != want.URL {
		changes = append(changes, "url: from "+origin(current.URL)+" to "+want.URL)
	}
	if added := subtract(want.Events, current.Events); len(added) > 0 {
		changes = append(changes, "events: add "+strings.Join(added, ", "))
	}
	if removed := subtract(current.Events, want.Events); len(removed) > 0 {
		changes = append(changes, "events: remove "+strings.Join(removed, ", "))
	}
	if _, readable := withoutSecret(current.Headers); readable {
		changes = append(changes, "headers: remove "+SecretHeader+", whose value everyone can read there")
	}
	switch {
	case !slices.ContainsFunc(current.SecretHeaders, isSecretHeader):
		changes = append(changes, "authentication: secret in header "+SecretHeader)
	case secret == secretChanged:
		changes = append(changes, "authentication: secret changed")
	case secret == secretUnknown:
		changes = append(changes, "authentication: secret set again, because its last value is unknown")
	}
	if len(changes) == 0 {
		return nil
	}
	for _, name := range current.SecretHeaders {
		if !isSecretHeader(name) {
			changes = append(changes, "authentication: remove header "+name+", whose value cannot be read")
		}
	}
	for _, name := range current.SecretQueryParams {
		changes = append(changes, "authentication: remove query parameter "+name+", whose value cannot be read")
	}
	return changes
}

func isSecretHeader(name string) bool { return strings.EqualFold(name, SecretHeader) }

// withoutSecret returns headers without [SecretHeader], and whether they had it.
func withoutSecret(headers map[string]string) (others map[string]string, found bool) {
	others = map[string]string{}
	for name, value := range headers {
		if isSecretHeader(name) {
			found = true
			continue
		}
		others[name] = value
	}
	return others, found
}
