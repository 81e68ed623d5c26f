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

// A value is one JSON value in UTF-8, without space around it, that was found valid. What is cut out of it needs no second
// look, so a body is checked once, however often it is read.
type value []byte

// anyJSON takes what encoding/json takes. Both bound the nesting.
var anyJSON = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// parse returns the value that raw is, as [strict] JSON: a record goes into an event as it stands. A byte order mark
// before it is passed over, as RFC 8259 lets a parser do. What is not UTF-8 in it is replaced, as encoding/json does
// where it reads a string.
func parse(raw []byte) (value, error) {
	if isUTF16(raw) {
		return nil, errUTF16
	}
	raw = bytes.TrimPrefix(raw, byteOrderMark)
	if !utf8.Valid(raw) {
		raw = []byte(string([]rune(string(raw)))) // each byte that is of no rune becomes U+FFFD
	}
	if isStrict(raw) {
		return bytes.Trim(raw, space), nil
	}
	if !jsontext.Value(raw).IsValid(anyJSON...) {
		var whole json.RawMessage
		if err := json.Unmarshal(raw, &whole); err != nil { // it says what is wrong
			return nil, err
		}
	}
	return strict(bytes.Trim(raw, space)), nil
}

// byteOrderMark is U+FEFF in UTF-8, which some tools write before a text.
var byteOrderMark = []byte("\ufeff")

// errUTF16 is for JSON in an encoding that it must not have between systems (RFC 8259, section 8.1).
var errUTF16 = errors.New("it is UTF-16, not UTF-8: send it as UTF-8")

// isUTF16 says whether a text is UTF-16, by its byte order mark or by the zero byte that the first character of JSON has
// there.
func isUTF16(raw []byte) bool {
	if len(raw) < 2 {
		return false
	}
	first, second := raw[0], raw[1]
	return first == 0xff && second == 0xfe || first == 0xfe && second == 0xff || (first == 0) != (second == 0)
}

// space is what JSON lets stand between its tokens.
const space = " \t\r\n"

// null says whether nothing is there: no value, or null.
func (v value) null() bool { return len(v) == 0 || v[0] == 'n' }

// text returns a string; false for any other value.
func (v value) text() (string, bool) {
	if len(v) == 0 || v[0] != '"' {
		return "", false
	}
	return string(v.unquoted()), true
}

func (v value) isObject() bool { return len(v) > 0 && v[0] == '{' }

func (v value) isArray() bool { return len(v) > 0 && v[0] == '[' }

// unquoted is what a string holds; in most of them it stands as it is.
func (v value) unquoted() []byte {
	if inside := v[1 : len(v)-1]; bytes.IndexByte(inside, '\\') < 0 {
		return inside
	}
	var s string
	_ = json.Unmarshal(v, &s) // it is one
	return []byte(s)
}

// at returns a member of an object; nil where it is missing. Of two with one name the last counts.
func (v value) at(name string) (found value) {
	for spelt, element := range v.members() {
		if string(spelt.unquoted()) == name {
			found = element
		}
	}
	return found
}

// An object is a JSON object by its members' exact names. Decoding to structs would match names without regard to
// case.
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

// at returns a member; nil where it is missing. Of two with one name the last counts.
func (o object) at(name string) value {
	for _, m := range slices.Backward(o) {
		if string(m.name) == name {
			return m.value
		}
	}
	return nil
}

// names returns the members' names in their order, each once.
func (o object) names() []string {
	var names []string
	for _, m := range o {
		names = append(names, string(m.name))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// text returns a member that is a string; ok is false where it is missing or no string.
func (o object) text(name string) (text string, ok bool) { return o.at(name).text() }

// members walks through an object: each member's name, as it is spelt, and its value.
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

// elements walks through an array.
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

// A cursor reads a value from its beginning to its end, and what is nested in it along with it: each byte once.
type cursor struct {
	in value
	at int
}

// here is the first byte of the next token or value.
func (c *cursor) here() byte { return c.in[c.at] }

// enter passes over what opens an object or array.
func (c *cursor) enter() { c.at++ }

// more goes to the next member or element of what was entered; behind the last it leaves it.
func (c *cursor) more() bool {
	c.at = next(c.in, c.at)
	if closing := c.here(); closing != '}' && closing != ']' {
		return true
	}
	c.at++
	return false
}

// name passes over a member's name, as it is spelt, and goes to its value.
func (c *cursor) name() value {
	name := c.token()
	c.at = next(c.in, c.at)
	return name
}

// token passes over the next token, or whole value, and returns it.
func (c *cursor) token() value {
	from := c.at
	c.at = end(c.in, from)
	return c.in[from:c.at]
}

// object passes over the next value and returns its members; nil where it is no object.
func (c *cursor) object() object {
	if c.here() != '{' {
		c.token()
		return nil
	}
	o := make(object, 0, usualMembers)
	for c.enter(); c.more(); {
		name := c.name()
		o = append(o, member{name.unquoted(), c.token()})
	}
	return o
}

// usualMembers is how many members most objects have at most that are read.
const usualMembers = 16

// next returns where the next token begins that is no comma and no colon. In valid JSON there is one within an object
// or array.
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

// end returns where the token or value that begins at i ends.
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
