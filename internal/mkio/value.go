package mkio

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// A value is one valid JSON value in UTF-8, without space around it. Values cut out of it are valid too, so a body is
// validated once, however often it is read.
type value []byte

// lenientJSON accepts what encoding/json accepts. Both limit the nesting.
var lenientJSON = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// parse returns raw as [strict] JSON: a record goes into an event unchanged. It skips a byte order mark, as RFC 8259 allows,
// and replaces invalid UTF-8, as encoding/json does in strings.
func parse(raw []byte) (value, error) {
	if isUTF16(raw) {
		return nil, errUTF16
	}
	raw = bytes.TrimPrefix(raw, byteOrderMark)
	if !utf8.Valid(raw) {
		raw = []byte(string([]rune(string(raw)))) // each invalid byte becomes U+FFFD
	}
	if isStrict(raw) {
		return bytes.Trim(raw, space), nil
	}
	if !jsontext.Value(raw).IsValid(lenientJSON...) {
		var whole json.RawMessage
		if err := json.Unmarshal(raw, &whole); err != nil { // for its error text
			return nil, err
		}
	}
	return strict(bytes.Trim(raw, space)), nil
}

// byteOrderMark is U+FEFF in UTF-8, which some tools write before a text.
var byteOrderMark = []byte("\ufeff")

// errUTF16 is returned for JSON in UTF-16, which RFC 8259, section 8.1, forbids between systems.
var errUTF16 = errors.New("the text is UTF-16, not UTF-8: send UTF-8")

// isUTF16 reports whether a text is UTF-16, by its byte order mark or by the zero byte in JSON's first character.
func isUTF16(raw []byte) bool {
	if len(raw) < 2 {
		return false
	}
	first, second := raw[0], raw[1]
	return first == 0xff && second == 0xfe || first == 0xfe && second == 0xff || (first == 0) != (second == 0)
}

// space are the characters that JSON allows between its tokens.
const space = " \t\r\n"

// isNull reports whether a value is missing or null.
func (v value) isNull() bool { return len(v) == 0 || v[0] == 'n' }

// text returns a string; false for any other value.
func (v value) text() (string, bool) {
	if len(v) == 0 || v[0] != '"' {
		return "", false
	}
	return string(v.unquoted()), true
}

func (v value) isObject() bool { return len(v) > 0 && v[0] == '{' }

func (v value) isArray() bool { return len(v) > 0 && v[0] == '[' }

// unquoted returns the content of a string; for most strings without copying.
func (v value) unquoted() []byte {
	if inside := v[1 : len(v)-1]; bytes.IndexByte(inside, '\\') < 0 {
		return inside
	}
	var s string
	_ = json.Unmarshal(v, &s) // cannot fail: v is a valid string
	return []byte(s)
}

// at returns a member of an object; nil if it is missing. Of duplicate names the last counts.
func (v value) at(name string) (found value) {
	for spelt, element := range v.members() {
		if string(spelt.unquoted()) == name {
			found = element
		}
	}
	return found
}

// An object is the members of a JSON object, by exact names. Decoding into structs would match names case-insensitively.
type object []member

type member struct {
	name []byte
	value
}

// object returns an object's members; nil for any other value.
func (v value) object() object {
	if !v.isObject() {
		return nil
	}
	c := cursor{in: v}
	return c.object()
}

// at returns a member; nil if it is missing. Of duplicate names the last counts.
func (o object) at(name string) value {
	for _, m := range slices.Backward(o) {
		if string(m.name) == name {
			return m.value
		}
	}
	return nil
}

// names returns the members' names, sorted, each once.
func (o object) names() []string {
	var names []string
	for _, m := range o {
		names = append(names, string(m.name))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// text returns a string member; ok is false if it is missing or not a string.
func (o object) text(name string) (text string, ok bool) { return o.at(name).text() }

// members iterates over an object: each member's name, in JSON, and its value.
func (v value) members() iter.Seq2[value, value] {
	return func(yield func(name, element value) bool) {
		if !v.isObject() {
			return
		}
		for c := (cursor{in: v, at: 1}); c.more(); {
			name := c.name()
			if !yield(name, c.token()) {
				return
			}
		}
	}
}

// elements iterates over an array.
func (v value) elements() iter.Seq[value] {
	return func(yield func(element value) bool) {
		if !v.isArray() {
			return
		}
		for c := (cursor{in: v, at: 1}); c.more(); {
			if !yield(c.token()) {
				return
			}
		}
	}
}

// A cursor reads a value and everything nested in it in one pass.
type cursor struct {
	in value
	at int
}

// peek returns the first byte of the next token or value.
func (c *cursor) peek() byte { return c.in[c.at] }

// enter consumes the opening brace or bracket.
func (c *cursor) enter() { c.at++ }

// more advances to the next member or element of the object or array; after the last it consumes the closing brace or
// bracket.
func (c *cursor) more() bool {
	c.at = next(c.in, c.at)
	if closing := c.peek(); closing != '}' && closing != ']' {
		return true
	}
	c.at++
	return false
}

// name consumes a member's name, returns it in JSON, and advances to its value.
func (c *cursor) name() value {
	name := c.token()
	c.at = next(c.in, c.at)
	return name
}

// token consumes and returns the next token or whole value.
func (c *cursor) token() value {
	from := c.at
	c.at = end(c.in, from)
	return c.in[from:c.at]
}

// object consumes the next value and returns its members; nil if it is not an object.
func (c *cursor) object() object {
	if c.peek() != '{' {
		c.token()
		return nil
	}
	o := make(object, 0, initialMembers)
	for c.enter(); c.more(); {
		name := c.name()
		o = append(o, member{name.unquoted(), c.token()})
	}
	return o
}

// initialMembers is a capacity that most objects need.
const initialMembers = 16

// next returns the position of the next token that is neither comma nor colon. Within an object or array of valid JSON
// there is one.
func next(v value, i int) int {
	for {
		switch v[i] {
		case ' ', '\t', '\r', '\n', ',', ':':
			i++
		default:
			return i
		}
	}
}

// end returns the position after the token or value that begins at i.
func end(v value, i int) int {
	switch v[i] {
	case '"':
		return endOfString(v, i)
	case '{', '[':
		return endOfNested(v, i)
	}
	for i < len(v) {
		switch v[i] {
		case ',', '}', ']', ' ', '\t', '\r', '\n':
			return i
		}
		i++
	}
	return i
}

func endOfString(v value, i int) int {
	for i++; ; i++ {
		i += bytes.IndexByte(v[i:], '"')
		slashes := 0
		for v[i-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i + 1
		}
	}
}

func endOfNested(v value, i int) int {
	for depth := 0; ; {
		switch v[i] {
		case '"':
			i = endOfString(v, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		i++
		if depth == 0 {
			return i
		}
	}
}
