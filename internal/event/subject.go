package event

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"mkio-bridge/internal/lifecycle"
)

// An event's subject is <prefix>.<kind>.<project>.<name…>.<state>. All but prefix and state is the
// resource token: it is the resource's key in the state bucket and its events' partition key.
const (
	maxSubject  = 1000 // bytes; a NATS protocol line is limited, and carries more than a subject
	maxToken    = 80   // bytes; a longer token is cut when its subject would be too long
	cutToken    = 40   // bytes of a cut token before the mark and the hash
	cutMark     = "=H" // not a valid escape, so a cut token is recognizable
	hashDigits  = 32
	unsetState  = "unset" // the token of the empty state
	escapeStart = '='
)

// ErrCutToken is the error of a subject without the full names, which only the event has.
var ErrCutToken = errors.New("subject contains a cut name; the event has the full one")

// Resource returns a key's resource token, e.g. job.aurora-vod.ladder-hd.ep-0417.
//
// Whether long names are cut must not depend on the state, because all events of one resource share one filter. So the
// longest possible state token is reserved.
func (n Names) Resource(k lifecycle.Key) string {
	var buffer [tokenCapacity]byte
	return string(n.appendResource(buffer[:0], k))
}

// tokenCapacity is the buffer size, in bytes, that most tokens and subjects fit into. They are built for every delivery, so
// the buffers are on the stack.
const tokenCapacity = 256

func (n Names) appendResource(b []byte, k lifecycle.Key) []byte {
	var buffer [1 + lifecycle.MaxDepth]string
	names := k.AppendNames(append(buffer[:0], k.Project))
	start := len(b)
	b = append(b, k.Kind...)
	for _, name := range names {
		b = appendEscaped(append(b, '.'), name)
	}
	if len(n.prefix)+1+len(b)-start+1+maxToken <= maxSubject {
		return b
	}
	b = append(b[:start], k.Kind...)
	for _, name := range names {
		b = append(append(b, '.'), cut(escape(name), name)...)
	}
	return b
}

// Groups returns the prefixes, up to the second dot, of the resource tokens of a kind and project. There are two if the
// project's name is long: in full, and cut.
func (n Names) Groups(kind lifecycle.Kind, project string) []string {
	token := escape(project)
	groups := []string{string(kind) + "." + token}
	if len(token) > maxToken {
		groups = append(groups, string(kind)+"."+cut(token, project))
	}
	return groups
}

// GroupOf returns a resource token's group ([Names.Groups]).
func GroupOf(resource string) string {
	first := strings.IndexByte(resource, '.')
	if second := strings.IndexByte(resource[first+1:], '.'); first >= 0 && second >= 0 {
		return resource[:first+1+second]
	}
	return resource
}

// KindOf returns the kind of a resource token or of a group.
func KindOf(resource string) lifecycle.Kind {
	kind, _, _ := strings.Cut(resource, ".")
	return lifecycle.Kind(kind)
}

// NameOf returns the own name of a resource, the last one in its token. Of a cut name it returns the cut token.
func NameOf(resource string) string {
	token := resource[strings.LastIndexByte(resource, '.')+1:]
	if strings.IndexByte(token, escapeStart) < 0 {
		return token
	}
	if name, err := unescape(token); err == nil {
		return name
	}
	return token
}

// ResourceOf returns the resource token in a subject without its prefix.
func ResourceOf(unprefixed string) string {
	return unprefixed[:max(strings.LastIndexByte(unprefixed, '.'), 0)]
}

// Filter matches every event of the resource with the given token, and no other.
func (n Names) Filter(resource string) string { return n.prefix + "." + resource + ".*" }

// filterSize is the length of [Names.Filter], in bytes.
func (n Names) filterSize(resource string) int {
	return len(n.prefix) + len(".") + len(resource) + len(".*")
}

// Subject is the subject of an event of the resource with the given token.
func (n Names) Subject(resource, state string) string {
	var buffer [tokenCapacity]byte
	b := append(append(buffer[:0], n.prefix...), '.')
	return string(appendState(append(b, resource...), state))
}

// subjectAndResource is [Names.Subject] and [Names.Resource] with one allocation.
func (n Names) subjectAndResource(k lifecycle.Key, state string) (subject, resource string) {
	var buffer [tokenCapacity]byte
	b := n.appendResource(append(append(buffer[:0], n.prefix...), '.'), k)
	end := len(b)
	subject = string(appendState(b, state))
	return subject, subject[len(n.prefix)+1 : end]
}

// appendState appends the state token to a subject.
func appendState(subject []byte, state string) []byte {
	subject = append(subject, '.')
	end := len(subject)
	subject = appendStateToken(subject, state)
	if len(subject) > maxSubject {
		subject = append(subject[:end], cut(StateToken(state), strings.ToLower(state))...)
	}
	return subject
}

// StateToken is the token of a state in subjects: lower-case and escaped.
func StateToken(state string) string {
	var buffer [maxToken]byte
	return string(appendStateToken(buffer[:0], state))
}

func appendStateToken(b []byte, state string) []byte {
	if state == "" {
		return append(b, unsetState...)
	}
	var buffer [maxToken]byte
	return appendEscaped(b, appendLower(buffer[:0], state))
}

// appendLower is strings.ToLower.
func appendLower(b []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			return append(b[:len(b)-i], strings.ToLower(s)...)
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

// NameToken is the token of a project or resource name in subjects.
func NameToken(name string) string { return escape(name) }

// NameTokens returns the tokens that a project or resource name can have in subjects: in full, and cut if it is long.
func NameTokens(name string) []string {
	token := escape(name)
	short := cut(token, name)
	switch {
	case short == token:
		return []string{token}
	case len(token) > maxSubject:
		return []string{short}
	}
	return []string{token, short}
}

// Parse parses an event's subject. It is the inverse of [Names.Subject], but the state is lower-case. A cut name is an
// [ErrCutToken].
func (n Names) Parse(subject string) (key lifecycle.Key, state string, err error) {
	tokens := strings.Split(subject, ".")
	if len(tokens) < 5 || tokens[0] != n.prefix {
		return lifecycle.Key{}, "", fmt.Errorf("subject %q is not %s.<kind>.<project>.<name…>.<state>", subject, n.prefix)
	}
	names := make([]string, 0, len(tokens)-2)
	for _, t := range tokens[2:] {
		name, err := unescape(t)
		if err != nil {
			return lifecycle.Key{}, "", fmt.Errorf("subject %q: %w", subject, err)
		}
		names = append(names, name)
	}
	last := len(names) - 1
	if tokens[len(tokens)-1] != unsetState {
		state = names[last]
	}
	key, err = lifecycle.NewKey(lifecycle.Kind(tokens[1]), names[0], names[1:last]...)
	if err != nil {
		return lifecycle.Key{}, "", fmt.Errorf("subject %q: %w", subject, err)
	}
	return key, state, nil
}

// escape writes every byte that a subject token or a bucket key cannot hold as =XX.
func escape(name string) string {
	for i := range len(name) {
		if !plain(name[i]) {
			return string(appendEscaped(nil, name))
		}
	}
	return name
}

func appendEscaped[S string | []byte](b []byte, name S) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(name) {
		if c := name[i]; plain(c) {
			b = append(b, c)
		} else {
			b = append(b, escapeStart, digits[c>>4], digits[c&15])
		}
	}
	return b
}

// unescape is the inverse of escape, and accepts nothing else than its results.
func unescape(token string) (string, error) {
	if token == "" {
		return "", errors.New("empty token")
	}
	if strings.Contains(token, cutMark) {
		return "", ErrCutToken
	}
	var b strings.Builder
	for i := 0; i < len(token); i++ {
		c := token[i]
		if plain(c) {
			b.WriteByte(c)
			continue
		}
		if c != escapeStart || i+2 >= len(token) {
			return "", fmt.Errorf("token %q is not escaped as =XX", token)
		}
		digits := token[i+1 : i+3]
		raw, err := hex.DecodeString(digits)
		if err != nil || digits != strings.ToUpper(digits) || plain(raw[0]) {
			return "", fmt.Errorf("token %q has an invalid escape =%s", token, digits)
		}
		b.WriteByte(raw[0])
		i += 2
	}
	return b.String(), nil
}

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// cut shortens the token of a long name; the hash distinguishes names with the same beginning.
func cut(token, name string) string {
	if len(token) <= maxToken {
		return token
	}
	sum := sha256.Sum256([]byte(name))
	return token[:cutToken] + cutMark + hex.EncodeToString(sum[:])[:hashDigits]
}
