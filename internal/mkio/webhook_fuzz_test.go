package mkio

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"mkio-bridge/internal/lifecycle"
)

// hostileInputs have broken decoders, or might.
var hostileInputs = []string{
	``, `null`, `[]`, `{}`, `{"data_base64":5,"specversion":"1.0"}`, `{"":{"":""}}`,
	`{"data":{"state":"a","state":"b"},"data":null}`,
	`{"a":1e999999,"b":-0.00,"c":123456789012345678901234567890}`,
	`{"id":"\ud800","token":"\udc00\ud800","\ud800":"x"}`,
	strings.Repeat(`{"a":[`, 200) + strings.Repeat(`]}`, 200),
	`{"specversion":"1.0","id":"\u0000","type":"MediaKind.","source":"/api/ams/%00/assets/%0d%0a","data":{"state":"\u0000"}}`,
	`{"specversion":"1.0","id":"i","type":"MediaKind.ChannelInstance","source":"\u2028?token=x","data":{"state":"","projectName":"p"}}`,
	`{"specversion":"1.0","id":"i","type":"MediaKind.X","source":"//u:p@h/api/v1/projects/p/liveEvents/e","time":"2031-03-04T10:00:00.1+23:59","data":{"resource":{"metadata":{"id":"a@b.cc?x","created":"https://x"},"status":{"state":"a://b?c","errors":["x",{"code":1}],"info":"token: y"}}}}`,
	`{"specversion":"1.0","id":7,"type":"MediaKind.JobFinished","source":"/api/v1/projects/p1/transforms/t/jobs/j","time":"2031-03-04T10:00:00.1234567","data":{"projectName":[],"previousState":{},"state":"Finished"}}`,
	`{"specversion":"1.0","id":"","type":"MediaKind.JobFinished","source":"/api/v1/projects/p1/transforms/t/jobs/j","time":"2031-03-04 10:00:00 +0000","datacontenttype":1,"data":{"state":5,"resource":{"properties":{"state":"Error","lastModified":"2031-03-04 10:00:00"}}}}`,
	`{"specversion":"1.0","id":"e-1","type":"MediaKind.JobFinished","source":"/api/v1/projects/p1/transforms/t/jobs/j","time":"","data":{"projectName":"p1","state":"Finished"}}`,
	`{"a":{"x":1},"\ud83d":1,"\ud83e":{"b":-1e309,"b":"\u0000"},"\u0000":2,"bob@example.com":1,"ann@example.com":2,"[redacted]":3}`,
	"\ufeff{\"data\":{\"resource\":{\"properties\":{\"correlationData\":{\"houseKey\":\"a@b.c\"}}}}}", "{\x00\"\x00",
	`["://token:80/p?q","token=https://h/p","a@b.c@d.e","?x","key\"='v'","://[redacted]","x://a:1x"]`,
}

func FuzzDecode(f *testing.F) {
	for _, body := range readAll(f, "webhooks/*.json", "webhooks/tolerance/*.json") {
		f.Add(body)
	}
	for _, body := range hostileInputs {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		items, err := SplitBatch(body)
		if err != nil {
			checkRejection(t, err)
		}
		for _, item := range items {
			o, err := Decoder{}.Decode(item, received)
			if err != nil {
				checkRejection(t, err)
				continue
			}
			checkObservation(t, o)
			checkRedactedDelivery(t, item, o)
		}
	})
}

func checkRejection(t *testing.T, err error) {
	t.Helper()
	r, ok := errors.AsType[*Rejection](err)
	if !ok || len(r.Detail) > 1024 || !utf8.ValidString(r.Detail) {
		t.Fatalf("not a short rejection: %v", err)
	}
	if r.Reason != lifecycle.ReasonMalformed && r.Reason != lifecycle.ReasonUnrecognised {
		t.Fatalf("rejected as %q", r.Reason)
	}
}

func checkObservation(t *testing.T, o lifecycle.Observation) {
	t.Helper()
	if key, err := lifecycle.NewKey(o.Key.Kind, o.Key.Project, o.Key.Names()...); err != nil || key != o.Key {
		t.Fatalf("key %v: %v", o.Key, err)
	}
	if path, inside, ok := Path(o.Key); !ok || path != o.Source || inside != o.Subject {
		t.Fatalf("path of %v is %s, not %s", o.Key, path, o.Source)
	}
	for _, raw := range []json.RawMessage{o.Resource, o.Correlation} {
		if raw != nil && !json.Valid(raw) {
			t.Fatalf("not JSON: %s", raw)
		}
		if raw != nil {
			checkStrict(t, raw)
		}
	}
	if _, err := json.Marshal(o); err != nil { // times out of range
		t.Fatal(err)
	}
	for _, s := range []string{o.State, o.Life, o.Provisioning, o.Delivery.ID, o.Delivery.Type, o.Key.Project, o.Key.Name()} {
		if len(s) > maxText || !utf8.ValidString(s) {
			t.Fatalf("%d bytes: %.100q", len(s), s)
		}
	}
	if len(o.Problems) > maxProblems {
		t.Fatalf("%d problems", len(o.Problems))
	}
}

// checkRedactedDelivery checks that a redacted delivery decodes to the same observation.
func checkRedactedDelivery(t *testing.T, item []byte, o lifecycle.Observation) {
	t.Helper()
	clean, err := RedactDelivery(item)
	if err != nil {
		t.Fatal(err)
	}
	twin, err := Decoder{}.Decode(clean, received)
	if err != nil {
		t.Fatalf("redacted delivery: %v", err)
	}
	if twin.Key != o.Key || twin.State != o.State || !twin.At.Equal(o.At) || twin.Life != o.Life ||
		!twin.Modified.Equal(o.Modified) || !bytes.Equal(twin.Resource, o.Resource) {
		t.Fatalf("redacted delivery decodes to\n%+v\nwant\n%+v", twin, o)
	}
}

func FuzzRedact(f *testing.F) {
	for _, body := range readAll(f, "records/*.json", "webhooks/*.json") {
		f.Add(body)
	}
	for _, body := range hostileInputs {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if text := redactText(string(raw)); redactText(text) != text {
			t.Fatalf("redacted twice, %q is %q", text, redactText(text))
		}
		if text := string(raw); !mayNeedRedaction(text) && redactAlways(text) != text {
			t.Fatalf("%q is redacted to %q, and mayNeedRedaction is false", text, redactAlways(text))
		}
		for _, redact := range []func([]byte) (json.RawMessage, error){
			redactRaw,
			CorrelationFull.RedactDelivery, CorrelationRedacted.RedactDelivery, CorrelationNone.RedactDelivery,
		} {
			once, err := redact(raw)
			if (err == nil) != json.Valid(bytes.TrimPrefix(raw, byteOrderMark)) {
				t.Fatalf("valid JSON and error disagree: %v", err)
			}
			if err != nil {
				continue
			}
			if !json.Valid(once) {
				t.Fatalf("not JSON: %s", once)
			}
			checkStrict(t, once)
			twice, err := redact(once)
			if err != nil || !bytes.Equal(once, twice) {
				t.Fatalf("redacted twice:\n%s\nonce:\n%s (%v)", twice, once, err)
			}
		}
	})
}
