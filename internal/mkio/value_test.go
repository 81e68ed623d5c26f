package mkio

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"
)

// FuzzValue reads JSON member by member, and compares it with what encoding/json reads.
func FuzzValue(f *testing.F) {
	for _, body := range readAll(f, "records/*.json", "webhooks/*.json", "lists/*.json") {
		f.Add(body)
	}
	for _, body := range hostile {
		f.Add([]byte(body))
	}
	f.Add([]byte(" { \"a\\\\\" : [ \"\\\"\" , [ ] , { } , -1.5e3 , true ] , \"\\u0061\":null\n}\t"))
	f.Add([]byte("{\"\xff\xfeä\":[\"\xc3\",\"\xe2\x82\"]}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		var want any
		wantErr := json.Unmarshal(raw, new(json.RawMessage))
		v, err := parse(raw)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("parsed with %v, and by encoding/json with %v", err, wantErr)
		}
		if err != nil {
			return
		}
		if !utf8.Valid(v) { // events are made of it as it stands
			t.Fatalf("%q is not UTF-8", v)
		}
		if err := decoder.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if got := plain(t, v); !reflect.DeepEqual(got, want) {
			t.Fatalf("read\n%#v\nnot\n%#v", got, want)
		}
	})
}

// plain turns a value into what encoding/json makes of it.
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
			t.Fatalf("no string: %q", v)
		}
		return text
	case v.null():
		return nil
	case v[0] == 't' || v[0] == 'f':
		return v[0] == 't'
	}
	return json.Number(v)
}
