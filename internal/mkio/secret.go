package mkio

import (
	"regexp"
	"strings"
)

// redacted stands where something was hidden.
const redacted = "[redacted]"

// A member is secret when its name, without regard to case, underscores and hyphens, contains one of
// these words …
var secretWords = []string{
	"token", "secret", "password", "passphrase", "passwd", "pwd", "keyvalue", "accesskey", "sharedkey",
	"streamkey", "privatekey", "apikey", "signature", "credential", "authorization", "cookie", "bearer",
	"connectionstring", "email", "previewlocator",
}

// … or ends in one of these. As parts of other words (assigned, keyFrameInterval) they are harmless.
var (
	secretEndings  = []string{"key", "sig", "sas", "pass", "auth", "jwt"}
	addressEndings = []string{"url", "urls", "uri", "uris", "monitoring"}
)

// secretBelow are members that are secret only in one place: the values of a locator's content keys
// and the whole configuration of a content key policy.
var secretBelow = map[string]string{"contentkeys": "value", "properties": "options"}

var plainName = strings.NewReplacer("_", "", "-", "")

// nameOf is a member's name as the rules compare it.
func nameOf(key string) string { return plainName.Replace(strings.ToLower(key)) }

// secretMember says whether the value of a member must be hidden whole. parent is the name of the
// member that holds the object, through arrays.
func secretMember(parent, name string) bool {
	if below, ok := secretBelow[parent]; ok && below == name {
		return true
	}
	for _, word := range secretWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	for _, endings := range [][]string{secretEndings, addressEndings} {
		for _, ending := range endings {
			if strings.HasSuffix(name, ending) {
				return true
			}
		}
	}
	return false
}

var (
	emailAddress = regexp.MustCompile(`[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+`)

	// secretInText matches up to where a secret begins (the empty group) in free text: after a
	// question mark, and after name=value or name: value of a secret.
	secretInText = regexp.MustCompile(`(?is)(?:\?|(?:(?:` + strings.Join(secretWords, "|") + `)[\w-]*|` +
		strings.Join(secretEndings, "|") + `)["']?\s*[=:]\s*)()\S`)

	hostAlone = regexp.MustCompile(`^[A-Za-z0-9.-]+(?::[0-9]+)?(?:/|$)`)
)

// redactText hides what must not leave in text that is not secret as a whole. Where a URL's path, a
// query or a secret's value begins, everything to the end is hidden: where it ends cannot be known.
func redactText(s string) string {
	if strings.Contains(s, "@") {
		s = emailAddress.ReplaceAllLiteralString(s, redacted)
	}
	if strings.ContainsAny(s, "?=:") {
		if at := secretInText.FindStringSubmatchIndex(s); at != nil {
			s = s[:at[2]] + redacted
		}
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return s
	}
	host := hostAlone.FindString(rest)
	if len(host) < len(rest) {
		host += redacted
	}
	return scheme + "://" + host
}

// redactSource leaves of a delivery's source what names the resource: the query and the user that an
// absolute URL may carry are not needed for that.
func redactSource(source string) string {
	parts := sourceParts.FindStringSubmatch(source)
	scheme, authority, path := parts[1], parts[2], parts[3]
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		authority = "//" + authority[i+1:]
	}
	return scheme + authority + path
}
