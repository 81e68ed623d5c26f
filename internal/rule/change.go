package rule

import (
	"slices"
	"strings"

	"mkio-bridge/internal/mkio"
)

// SecretHeader carries the secret of each delivery.
const SecretHeader = "X-Webhook-Secret" //nolint:gosec // the name, not the secret

// A Change is what was, or would be, changed of a rule, in words that show no secret.
type Change struct {
	Project  string   `json:"project"`
	Rule     string   `json:"rule"`
	Creates  bool     `json:"creates"` // there was no such rule
	Changes  []string `json:"changes"`
	Warnings []string `json:"warnings"`
}

// None says whether nothing was to be changed.
func (c Change) None() bool { return len(c.Changes) == 0 }

func (c *Change) warn(text string) { c.Warnings = append(c.Warnings, text) }

// A secretState is what is known of the secret that a rule brings.
type secretState uint8

const (
	secretUnknown secretState = iota // nobody noted what was put
	secretOther                      // another was put
	secretRight
)

func (s secretState) of(n note, id, secret string) secretState {
	switch {
	case !n.of(id):
		return secretUnknown
	case !n.has(secret):
		return secretOther
	}
	return secretRight
}

// changes tells what a rule, nil for none, lacks to be as it must.
func changes(is *mkio.Rule, want mkio.RuleSpec, secret secretState) []string {
	if is == nil {
		return []string{
			"url: " + want.URL,
			"events: " + strings.Join(want.Events, ", "),
			"authentication: the secret in header " + SecretHeader,
		}
	}
	var all []string
	if !is.Enabled {
		all = append(all, "enabled: it was disabled")
	}
	if is.URL != want.URL {
		all = append(all, "url: from "+origin(is.URL)+" to "+want.URL)
	}
	if added := missing(want.Events, is.Events); len(added) > 0 {
		all = append(all, "events: with "+strings.Join(added, ", "))
	}
	if dropped := missing(is.Events, want.Events); len(dropped) > 0 {
		all = append(all, "events: without "+strings.Join(dropped, ", "))
	}
	if _, open := inTheOpen(is.Headers); open {
		all = append(all, "headers: without "+SecretHeader+", which everyone can read there")
	}
	switch {
	case !slices.ContainsFunc(is.SecretHeaders, isSecretHeader):
		all = append(all, "authentication: the secret in header "+SecretHeader)
	case secret == secretOther:
		all = append(all, "authentication: the secret is another now")
	case secret == secretUnknown:
		all = append(all, "authentication: the secret, of which nobody noted what was last put")
	}
	if len(all) == 0 {
		return nil
	}
	for _, name := range is.SecretHeaders {
		if !isSecretHeader(name) {
			all = append(all, "authentication: without header "+name+", whose value cannot be read back")
		}
	}
	for _, name := range is.SecretQueryParams {
		all = append(all, "authentication: without query parameter "+name+", whose value cannot be read back")
	}
	return all
}

func isSecretHeader(name string) bool { return strings.EqualFold(name, SecretHeader) }

// inTheOpen returns headers without the secret's, and whether it was among them.
func inTheOpen(headers map[string]string) (others map[string]string, found bool) {
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
