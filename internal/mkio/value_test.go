package mkio

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzValue compares value's reading of JSON with that of encoding/json.
func FuzzValue(f *testing.F) {
	for _, body := range readAll(f, "records/*.json", "webhooks/*.json", "lists/*.json") {
		f.Add(body)
	}
	for _, body := range hostileInputs {
		f.Add([]byte(body))
	}
	f.Add([]byte(" { \"a\\\\\" : [ \"\\\"\" , [ ] , { } , -1.5e3 , true ] , \"\\u0061\":null\n}\t"))
	f.Add([]byte("{\"\xff\xfeä\":[\"\xc3\",\"\xe2\x82\"]}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		text := bytes.TrimPrefix(raw, byteOrderMark)
		wantErr := json.Unmarshal(text, new(json.RawMessage))
		v, err := parse(raw)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("parsed with %v, and by encoding/json with %v", err, wantErr)
		}
		if err != nil {
			return
		}
		if !utf8.Valid(v) { // it goes into events unchanged
			t.Fatalf("%q is not UTF-8", v)
		}
		checkStrict(t, v)
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		want := strictValue(t, decoder)
		if got := plain(t, v); !reflect.DeepEqual(got, want) {
			t.Fatalf("read\n%#v\nnot\n%#v", got, want)
		}
	})
}

// plain converts a value to what encoding/json decodes.
func plain(t *testing.T, v value) any {
	t.Helper()
	switch {
	case v.isObject():
		found := map[string]any{}
		for _, m := range v.object() {
			found[string(m.name)] = plain(t, m.value)
		}
		return found
	case v.isArray():
		found := []any{}
		for element := range v.elements() {
			found = append(found, plain(t, element))
		}
		return found
	case v[0] == '"':
		text, ok := v.text()
		if !ok {
			t.Fatalf("not a string: %q", v)
		}
		return text
	case v.isNull():
		return nil
	case v[0] == 't' || v[0] == 'f':
		return v[0] == 't'
	}
	return json.Number(v)
}

// strictValue reads the next value by the rules of [strict], token by token.
func strictValue(t *testing.T, d *json.Decoder) any {
	t.Helper()
	token, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	switch token := token.(type) {
	case json.Delim:
		var read any
		if token == '[' {
			elements := []any{}
			for d.More() {
				elements = append(elements, strictValue(t, d))
			}
			read = elements
		} else {
			members := map[string]any{}
			for d.More() {
				name, err := d.Token()
				if err != nil {
					t.Fatal(err)
				}
				members[name.(string)] = strictValue(t, d)
			}
			read = members
		}
		_, err = d.Token() // closing bracket
		if err != nil {
			t.Fatal(err)
		}
		return read
	case json.Number:
		if _, err := token.Float64(); err != nil {
			return token.String()
		}
		return token
	}
	return token
}

// checkStrict checks that a value is strict JSON.
func checkStrict(t *testing.T, v []byte) {
	t.Helper()
	if !jsontext.Value(v).IsValid() {
		t.Fatalf("not strict JSON: %q", v)
	}
	var plain any
	if err := json.Unmarshal(v, &plain); err != nil { // for instance a number that overflows a float64
		t.Fatalf("%v in %q", err, v)
	}
}
