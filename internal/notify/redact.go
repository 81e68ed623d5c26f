package notify

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"mkio-bridge/internal/printable"
)

const (
	redacted     = "[redacted]"
	maxErrorText = 300 // bytes of an error's text
	// minSecret is the length from which a part of an address is replaced. A shorter part is a port, a version or a word, and
	// replacing it would make errors unreadable.
	minSecret = 6
)

// A redactor removes secrets from text that is logged or stored: receivers echo requests, and shoutrrr's errors contain the
// addresses that it called.
type redactor []string

// newRedactor returns a redactor of secrets as they are, and URL-encoded.
func newRedactor(secrets ...string) redactor {
	var r redactor
	for _, s := range secrets {
		for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s)} {
			if len(form) >= minSecret {
				r = append(r, form)
			}
		}
	}
	// The longest first: a part of a secret must not be replaced before the whole.
	slices.SortFunc(r, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	return slices.Compact(r)
}

// addressPattern finds addresses. Their paths and queries hold tokens (Slack, Telegram) that the service URL spells otherwise.
var addressPattern = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^\s"'<>]+`)

// text returns a text without secrets and addresses, short and safe to print.
func (r redactor) text(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	s = addressPattern.ReplaceAllStringFunc(s, shortAddress)
	for _, secret := range r {
		s = strings.ReplaceAll(s, secret, redacted)
	}
	if len(s) > maxErrorText {
		s = strings.ToValidUTF8(s[:maxErrorText], "") + "…"
	}
	return printable.Sentence(s)
}

// shortAddress returns the scheme and host of an address.
func shortAddress(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		scheme, _, _ := strings.Cut(address, "://")
		return scheme + "://" + redacted
	}
	if isNetworkHost(u.Hostname()) {
		return u.Scheme + "://" + u.Host + "/" + redacted
	}
	return u.Scheme + "://" + redacted
}

// isNetworkHost tells a host from the token that many service URLs have in its place (slack://, discord://, pushover://).
func isNetworkHost(host string) bool {
	return strings.ContainsAny(host, ".:") || host == "localhost"
}

// addressSecrets returns what may be secret in an address: itself and its parts, and the pieces of those, because services
// spell a token differently in what they call.
func addressSecrets(u *url.URL) []string {
	parts := []string{u.Path, u.User.Username()}
	if password, ok := u.User.Password(); ok {
		parts = append(parts, password)
	}
	if !isNetworkHost(u.Hostname()) {
		parts = append(parts, u.Host)
	}
	secrets := []string{u.String(), u.RawQuery}
	for _, part := range parts {
		secrets = append(secrets, part)
		secrets = append(secrets, strings.FieldsFunc(part, func(r rune) bool { return strings.ContainsRune("/:,-", r) })...)
	}
	for _, values := range u.Query() {
		secrets = append(secrets, values...)
	}
	return secrets
}

// longest returns the length of the longest secret.
func (r redactor) longest() int {
	if len(r) == 0 {
		return 0
	}
	return len(r[0])
}
