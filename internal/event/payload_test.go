package event

import (
	"bytes"
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mkio-bridge/internal/lifecycle"
)

// A plainEvent is an event as encoding/json would write it.
type plainEvent struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"`
	DataContentType string    `json:"datacontenttype"`
	DataSchema      string    `json:"dataschema"`
	Time            time.Time `json:"time"`
	Data            Data      `json:"data"`
	PartitionKey    string    `json:"partitionkey"`
	RecordedTime    time.Time `json:"recordedtime"`
	TraceParent     string    `json:"traceparent,omitempty"`
	TraceState      string    `json:"tracestate,omitempty"`
}

// TestPayloadMatchesEncodingJSON compares byte for byte: the hashes of events in the log must stay valid.
func TestPayloadMatchesEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := lifecycle.Observation{State: text(t)}
		enc := Encoder{Names: NewNames(DefaultPrefix), MaxPayload: 1 << 20}
		want := plainEvent{
			SpecVersion: "1.0", ID: attribute(t), Source: "https://app.mk.io/api/v1/projects/" + url.PathEscape(text(t)), Type: attribute(t), Subject: attribute(t),
			DataContentType: "application/json", DataSchema: DataSchema, Time: drawTime(t), Data: drawData(t),
			PartitionKey: attribute(t), RecordedTime: drawTime(t),
		}
		if rapid.Bool().Draw(t, "traced") {
			want.TraceParent, want.TraceState = attribute(t), attribute(t)
		}
		e := Event{PartitionKey: want.PartitionKey, RecordedTime: want.RecordedTime, Origin: Trace{want.TraceParent, want.TraceState}, Data: want.Data}
		if err := e.setAttributes(want.ID, want.Source, want.Type, want.Subject, want.Time); err != nil {
			t.Fatal(err)
		}
		var m Message
		if _, err := enc.write(&m, &e, &o); err != nil {
			t.Fatal(err)
		}
		if string(m.Payload) != string(marshal(t, want)) {
			t.Fatalf("wrote\n%s\nnot\n%s", m.Payload, marshal(t, want))
		}
	})
}

// Anybody with the right to publish can put anything on the subjects of the log.
func TestDecodeRefusesForeignMessages(t *testing.T) {
	for _, payload := range []string{
		"", "null", "5", "{}", `{"data_base64":5,"specversion":"1.0"}`, `{"specversion":"1.0","id":"a","source":"/a","type":"t","data":5}`,
		`{"specversion":"1.0","id":"a","source":"/a","type":"t","":"","data":{}}`, `{"specversion":"1.0","id":"a","source":"/a","type":"t","recordedtime":"now","data":{}}`,
	} {
		if e, err := Decode([]byte(payload)); err == nil {
			t.Errorf("%s is %+v", payload, e)
		}
	}
}

func marshal(t *rapid.T, v any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // "<" is harmless here, and \u003c is hard to read
	if err := encoder.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

func drawData(t *rapid.T) Data {
	d := Data{
		Kind: lifecycle.Job, Project: text(t), Name: text(t), Path: rapid.SliceOfN(rapid.Custom(text), 1, 3).Draw(t, "path"),
		Transition: rapid.Uint64().Draw(t, "transition"), PreviousHash: text(t), PreviousState: maybe(t, text),
		State: text(t), PreviousPhase: lifecycle.Phase(text(t)), Phase: lifecycle.Phase(text(t)), ProvisioningState: text(t),
		Evidence: Evidence{
			Life: text(t), Modified: maybe(t, drawTime), SeenAfter: maybe(t, drawTime), SeenBefore: maybe(t, drawTime),
			TimeFrom: TimeFromMKIO, PreviousSequence: rapid.Uint64().Draw(t, "previous"),
		},
		Via: lifecycle.Webhook, ReportedPreviousState: maybe(t, text), ResourceOmitted: text(t),
		Delivery: maybe(t, func(t *rapid.T) Delivery {
			return Delivery{ID: text(t), Type: text(t), Time: maybe(t, drawTime), ReceivedTime: drawTime(t)}
		}),
	}
	for range rapid.IntRange(0, 2).Draw(t, "errors") {
		d.Errors = append(d.Errors, Problem{Code: text(t), Message: text(t), Category: text(t), Retry: text(t), Output: text(t)})
	}
	if rapid.Bool().Draw(t, "resource") {
		d.Resource, d.CorrelationData = json.RawMessage(`{"a":1.50,"b":"<\u0000>"}`), json.RawMessage(`{}`)
	}
	return d
}

// attribute draws a value of an attribute.
func attribute(t *rapid.T) string {
	return rapid.StringMatching(`[A-Za-z0-9_=./%-]{1,30}`).Draw(t, "attribute")
}

// text draws a name or state, without the line and paragraph separators of Unicode, which encoding/json escapes for
// browsers.
func text(t *rapid.T) string {
	s := rapid.OneOf(rapid.Just("Finished"), rapid.String()).Draw(t, "text")
	return string(bytes.ReplaceAll(bytes.ReplaceAll([]byte(s), []byte("\u2028"), nil), []byte("\u2029"), nil)) + "x"
}

func drawTime(t *rapid.T) time.Time {
	return time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")).UTC()
}

func maybe[T any](t *rapid.T, draw func(*rapid.T) T) *T {
	if !rapid.Bool().Draw(t, "there") {
		return nil
	}
	v := draw(t)
	return &v
}

// The CloudEvents specification allows no empty subject: an event without one has no such attribute.
func TestEncodeWithoutSubject(t *testing.T) {
	key, err := lifecycle.NewKey(lifecycle.Job, "p", "t", "ep-1")
	if err != nil {
		t.Fatal(err)
	}
	var m Message
	o := lifecycle.Observation{Key: key, State: "Finished", At: time.Unix(0, 0), Source: "/s"}
	if err := (Encoder{Names: NewNames(DefaultPrefix), MaxPayload: 1 << 20}).Encode(&m, o, nil, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	if e, err := Decode(m.Payload); err != nil || e.Subject() != "" || bytes.Contains(m.Payload, []byte(`"subject"`)) {
		t.Errorf("%v: %s", err, m.Payload)
	}
}
