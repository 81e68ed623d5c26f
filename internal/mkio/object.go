package mkio

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// An object is a JSON object by its members' exact names. Decoding to structs would match names
// without regard to case.
type object map[string]json.RawMessage

// parseObject returns nil for anything but an object.
func parseObject(raw json.RawMessage) object {
	var o object
	if json.Unmarshal(raw, &o) != nil {
		return nil
	}
	return o
}

// has says whether a member is there and not null.
func (o object) has(name string) bool {
	raw, ok := o[name]
	return ok && string(raw) != "null"
}

var errNoString = errors.New("not a string")

// text returns a member that is a string; ok is false where it is missing or null.
func (o object) text(name string) (value string, ok bool, err error) {
	if !o.has(name) {
		return "", false, nil
	}
	if json.Unmarshal(o[name], &value) != nil {
		return "", false, errNoString
	}
	return value, true, nil
}

// checkJSON says what keeps raw from being one JSON value. Too deep a nesting does.
func checkJSON(raw []byte) error {
	var whole json.RawMessage
	return json.Unmarshal(raw, &whole)
}

// parseTime reads an RFC 3339 time with a fraction of any length. Years that JSON could not carry on
// are refused.
func parseTime(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(s))
	t = t.UTC()
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, false
	}
	return t, true
}
