package mkio

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"

	"mkio-bridge/internal/lifecycle"
)

func TestStrictJSON(t *testing.T) {
	tests := map[string]struct{ given, want string }{
		"half a surrogate pair":                  {`{"description":"cut \ud83d here"}`, "{\"description\":\"cut \ufffd here\"}"},
		"the other half":                         {`["\udc00x"]`, "[\"\ufffdx\"]"},
		"a whole pair":                           {`["\ud83d\ude00 \u00e9"]`, `["\ud83d\ude00 \u00e9"]`},
		"half a pair in a name":                  {`{"\ud83d":1}`, "{\"\ufffd\":1}"},
		"U+0000":                                 {`{"nul":"a\u0000b"}`, ""},
		"two members of one name":                {`{"a":1,"b":{"c":1,"c":{"d":1,"d":2}},"a":2}`, `{"b":{"c":{"d":2}},"a":2}`},
		"two spellings of one name":              {`{"a":1,"\u0061":2}`, `{"\u0061":2}`},
		"names that are equal after replacement": {`{"\ud83d":1,"\ud83e":2}`, "{\"\ufffd\":2}"},
		"members of one name in two objects":     {`[{"a":1},{"a":2}]`, `[{"a":1},{"a":2}]`},
		"a number beyond a float64":              {`{"n":1e400,"m":-1E+309,"o":[2.5e308]}`, `{"n":"1e400","m":"-1E+309","o":["2.5e308"]}`},
		"many digits beyond a float64":           {`{"n":` + strings.Repeat("9", 400) + `}`, `{"n":"` + strings.Repeat("9", 400) + `"}`},
		"numbers that a float64 holds":           {`{"i":123456789012345678901234567890,"f":1.50,"z":-0.0,"l":1e308,"s":1e-400,"d":` + strings.Repeat("9", 308) + `}`, ""},
		"text that looks like a number":          {`{"t":"1e400"}`, ""},
		"space":                                  {" { \"a\" : [ 1e400 , { } , [ ] ] } ", `{"a":["1e400",{},[]]}`},
	}
	for name, test := range tests {
		if test.want == "" {
			test.want = test.given
		}
		v, err := parse([]byte(test.given))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		equal(t, name, string(v), test.want)
		checkStrict(t, v)
	}
}

// nonStrictRecord has what strict parsers reject, as in a customer's record.
const nonStrictRecord = `{"name":"odd","properties":{"state":"Finished","description":"cut \ud83d here \u0000 nul","a":1,"a":2,"n":1e400,"i":123456789012345678901234567890,` +
	`"correlationData":{"house":"\ud83d","house":"LH-1","big":1e400}}}`

func TestEveryPolicyReturnsStrictJSON(t *testing.T) {
	delivery := `{"specversion":"1.0","id":"c-2","type":"MediaKind.JobFinished","source":"/api/v1/projects/p1/transforms/t/jobs/odd",` +
		`"time":"2031-03-04T10:00:00Z","data":{"projectName":"p1","state":"Finished","resource":` + nonStrictRecord + `}}`
	const correlation = `{"house":"LH-1","big":"1e400"}`
	const record = "{\"name\":\"odd\",\"properties\":{\"state\":\"Finished\",\"description\":\"cut \ufffd here \\u0000 nul\",\"a\":2,\"n\":\"1e400\",\"i\":123456789012345678901234567890"
	for _, resource := range []ResourcePolicy{ResourceRedacted, ResourceFull, ResourceNone} {
		for _, policy := range []CorrelationPolicy{CorrelationFull, CorrelationRedacted, CorrelationNone} {
			o, err := Decoder{Resource: resource, Correlation: policy}.Decode([]byte(delivery), received)
			if err != nil {
				t.Fatal(err)
			}
			wantCorrelation, wantRecord := correlation, record+`,"correlationData":`+correlation+"}}"
			if policy == CorrelationNone {
				wantCorrelation, wantRecord = "", record+"}}"
			}
			if resource == ResourceNone {
				wantRecord = ""
			}
			equal(t, "correlation", string(o.Correlation), wantCorrelation)
			equal(t, "record", string(o.Resource), wantRecord)
		}
	}
	redacted, err := RedactDelivery([]byte(delivery))
	if err != nil {
		t.Fatal(err)
	}
	checkStrict(t, redacted)
}

// Two e-mail addresses as names become two different marks, because strict parsers reject duplicate names.
func TestRedactedNamesAreUnique(t *testing.T) {
	tests := []struct{ given, want string }{
		{`{"ann@a.example":1,"bob@a.example":2,"c":3,"dan@a.example":4}`, `{"[redacted]":1,"[redacted] 2":2,"c":3,"[redacted] 3":4}`},
		{`{"[redacted]":1,"ann@a.example":2,"[redacted] 2":3}`, `{"[redacted]":1,"[redacted] 2":2,"[redacted] 2 2":3}`},
		{`{"a":{"x@a.example":1,"y@a.example":{"z@a.example":1}},"v@a.example":1}`, `{"a":{"[redacted]":1,"[redacted] 2":{"[redacted]":1}},"[redacted]":1}`},
		{`{"x?a":1,"x?b":2}`, `{"x?[redacted]":1,"x?[redacted] 2":2}`},
	}
	for _, test := range tests {
		got, err := redactRaw([]byte(test.given))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, test.given, string(got), test.want)
		again, err := redactRaw(got)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "redacted twice", string(again), test.want)
	}
}

func TestByteOrderMarkIsSkipped(t *testing.T) {
	body := string(jobDelivery(t, nil))
	want, err := Decoder{}.Decode([]byte(body), received)
	if err != nil {
		t.Fatal(err)
	}
	for _, given := range []string{"\ufeff" + body, "\ufeff[" + body + "]", "\ufeff\r\n" + body} {
		items, err := SplitBatch([]byte(given))
		if err != nil || len(items) != 1 {
			t.Fatalf("%d deliveries, %v", len(items), err)
		}
		o, err := Decoder{}.Read(items[0], received)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "observation", string(encode(t, o)), string(encode(t, want)))
	}
}

func TestUTF16IsRejectedByName(t *testing.T) {
	units := utf16.Encode([]rune(string(jobDelivery(t, nil))))
	for name, order := range map[string]binary.AppendByteOrder{"little": binary.LittleEndian, "big": binary.BigEndian} {
		for _, mark := range []bool{true, false} {
			var body []byte
			if mark {
				body = order.AppendUint16(body, 0xfeff)
			}
			for _, unit := range units {
				body = order.AppendUint16(body, unit)
			}
			for _, read := range []func() error{
				func() error { _, err := SplitBatch(body); return err },
				func() error { _, err := (Decoder{}).Decode(body, received); return err },
			} {
				r, ok := errors.AsType[*Rejection](read())
				if !ok || r.Reason != lifecycle.ReasonMalformed || !strings.Contains(r.Detail, "UTF-16") || !strings.Contains(r.Detail, "UTF-8") {
					t.Errorf("%s endian, with a mark %v: %v", name, mark, r)
				}
			}
		}
	}
}
