package mkio

import (
	"regexp"
	"strings"
	"sync"
)

// redacted is the mark that replaces a secret.
const redacted = "[redacted]"

// nameRules caches the rules of member names: records have the same few names again and again.
type nameRules struct {
	mu     sync.RWMutex
	cached map[string]nameRule // by the name in JSON
}

// Limits of the cache: customers choose names too.
const (
	maxCachedNames = 1024
	maxCachedName  = 64 // bytes
)

var nameRuleCache = nameRules{cached: map[string]nameRule{}}

// ruleFor returns the rule of a name in JSON.
func (n *nameRules) ruleFor(name value) nameRule {
	n.mu.RLock()
	rule, ok := n.cached[string(name)]
	n.mu.RUnlock()
	if ok {
		return rule
	}
	text, _ := name.text() // always a string
	rule = ruleOfName(text)
	if len(name) <= maxCachedName {
		n.add(string(name), rule)
	}
	return rule
}

func (n *nameRules) add(name string, rule nameRule) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.cached) < maxCachedNames {
		n.cached[name] = rule
	}
}

var (
	emailPattern = regexp.MustCompile(`[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+`)

	hostPattern = regexp.MustCompile(`^[A-Za-z0-9.-]+(?::[0-9]+)?(?:/|$)`)
)

// redactText redacts text that is not secret as a whole. From a URL's path, a query or a secret's value on, everything to the
// end is redacted, because its end cannot be determined.
func redactText(s string) string {
	if !mayNeedRedaction(s) {
		return s
	}
	return redactAlways(s)
}

// redactAlways is redactText without the quick check.
func redactAlways(s string) string {
	if strings.Contains(s, "@") {
		s = emailPattern.ReplaceAllLiteralString(s, redacted)
	}
	if at := secretInText(s); at >= 0 {
		s = s[:at] + redacted
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return s
	}
	host := hostPattern.FindString(rest)
	if len(host) < len(rest) {
		host += redacted
	}
	return scheme + "://" + host
}

// secretInText returns where the first secret begins in free text: after a question mark, or after name=value or
// name: value of a secret; -1 if there is none.
func secretInText(s string) int {
	for i := range len(s) {
		switch from := i + 1; s[i] {
		case '?':
			if from < len(s) && !isSpace(s[from]) {
				return from
			}
		case ':', '=':
			for from < len(s) && isSpace(s[from]) {
				from++
			}
			if from < len(s) && endsInSecret(s[:i]) {
				return from
			}
		}
	}
	return -1
}

func isSpace(c byte) bool { return strings.IndexByte(" \t\n\v\f\r", c) >= 0 }

// mayNeedRedaction is a quick check that most texts fail: whether redactText might change a text. Non-ASCII text always
// passes, because the patterns match letters beyond ASCII.
func mayNeedRedaction[T string | ~[]byte](s T) bool {
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

// endsInSecret reports whether the text before a colon or an equals sign ends in the name of a secret.
func endsInSecret[T string | ~[]byte](s T) bool {
	to := len(s)
	for to > 0 && isSpace(s[to-1]) {
		to--
	}
	if to > 0 && (s[to-1] == '"' || s[to-1] == '\'') {
		to--
	}
	from, letters := to, 0
	for ; from > 0 && isWordByte(s[from-1]); from-- {
		if s[from-1] > '9' {
			letters++
		}
	}
	if letters < shortestSecret { // for instance a time of day
		return false
	}
	return secretByName(wordsOf(string(s[from:to])))
}

// shortestSecret is the number of letters of the shortest secret word.
const shortestSecret = 3

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// redactSource removes query and user from a delivery's source: they do not name the resource.
func redactSource(source string) string {
	scheme, authority, path := sourceParts(source)
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		authority = "//" + authority[i+1:]
	}
	return scheme + authority + path
}
