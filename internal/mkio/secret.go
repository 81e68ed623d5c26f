package mkio

import (
	"regexp"
	"strings"
	"sync"
)

// redacted stands where something was hidden.
const redacted = "[redacted]"

// nameRules remembers what the rules make of names: records have the same few again and again.
type nameRules struct {
	mu    sync.RWMutex
	known map[string]nameRule // by the name as it is spelt in JSON
}

// Bounds of the memory of names, which customers choose too.
const (
	maxNames = 1024
	maxName  = 64 // bytes
)

var rules = nameRules{known: map[string]nameRule{}}

// of returns the rule for a name, as it is spelt in JSON.
func (n *nameRules) of(name value) nameRule {
	n.mu.RLock()
	rule, ok := n.known[string(name)]
	n.mu.RUnlock()
	if ok {
		return rule
	}
	text, _ := name.text() // a name is one
	rule = ruleOfName(text)
	if len(name) <= maxName {
		n.add(string(name), rule)
	}
	return rule
}

func (n *nameRules) add(name string, rule nameRule) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.known) < maxNames {
		n.known[name] = rule
	}
}

var (
	emailAddress = regexp.MustCompile(`[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+`)

	hostAlone = regexp.MustCompile(`^[A-Za-z0-9.-]+(?::[0-9]+)?(?:/|$)`)
)

// redactText hides what must not leave in text that is not secret as a whole. Where a URL's path, a
// query or a secret's value begins, everything to the end is hidden: where it ends cannot be known.
func redactText(s string) string {
	if !mayHide(s) {
		return s
	}
	return hideIn(s)
}

// hideIn is redactText without the glance.
func hideIn(s string) string {
	if strings.Contains(s, "@") {
		s = emailAddress.ReplaceAllLiteralString(s, redacted)
	}
	if at := secretInText(s); at >= 0 {
		s = s[:at] + redacted
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

// secretInText returns where the first secret begins in free text: after a question mark, and after name=value or
// name: value of a secret; -1 where there is none.
func secretInText(s string) int {
	for i := range len(s) {
		switch from := i + 1; s[i] {
		case '?':
			if from < len(s) && !blank(s[from]) {
				return from
			}
		case ':', '=':
			for from < len(s) && blank(s[from]) {
				from++
			}
			if from < len(s) && endsInSecret(s[:i]) {
				return from
			}
		}
	}
	return -1
}

func blank(c byte) bool { return strings.IndexByte(" \t\n\v\f\r", c) >= 0 }

// mayHide says whether redactText may have to hide something of a text: most say at a glance that it has not. Beyond
// ASCII other letters match too.
func mayHide[T string | ~[]byte](s T) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 0x80, c == '?':
			return true
		case c == '@' && i > 0:
			return true
		case c == ':' || c == '=':
			if i+2 < len(s) && s[i+1] == '/' && s[i+2] == '/' || endsInSecret(s[:i]) {
				return true
			}
		}
	}
	return false
}

// endsInSecret says whether what stands before a colon or an equals sign names a secret.
func endsInSecret[T string | ~[]byte](s T) bool {
	to := len(s)
	for to > 0 && blank(s[to-1]) {
		to--
	}
	if to > 0 && (s[to-1] == '"' || s[to-1] == '\'') {
		to--
	}
	from, letters := to, 0
	for ; from > 0 && wordByte(s[from-1]); from-- {
		if s[from-1] > '9' {
			letters++
		}
	}
	if letters < shortestSecret { // as in a time of day
		return false
	}
	return secretByName(wordsOf(string(s[from:to])))
}

// shortestSecret is how many letters the shortest of the secret words has.
const shortestSecret = 3

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// redactSource leaves of a delivery's source what names the resource: the query and the user that an
// absolute URL may carry are not needed for that.
func redactSource(source string) string {
	scheme, authority, path := sourceParts(source)
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		authority = "//" + authority[i+1:]
	}
	return scheme + authority + path
}
