package event

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"pgregory.net/rapid"

	"mkio-bridge/internal/lifecycle"
)

// TestEncodingMatchesStandardEncoders compares, byte for byte, with encoding/json and the CloudEvents SDK.
func TestEncodingMatchesStandardEncoders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := Event{
			SpecVersion: "1.0", ID: attribute(t), Source: "/api/v1/projects/p", Type: attribute(t), Subject: attribute(t),
			Time: drawTime(t), DataContentType: "application/json", DataSchema: DataSchema, PartitionKey: attribute(t),
			RecordedTime: drawTime(t), Data: drawData(t),
		}
		sdk := cloudevents.New()
		sdk.SetID(e.ID)
		sdk.SetSource("https://app.mk.io" + e.Source)
		sdk.SetType(e.Type)
		sdk.SetSubject(e.Subject)
		sdk.SetTime(e.Time)
		sdk.SetDataContentType(e.DataContentType)
		sdk.SetDataSchema(e.DataSchema)
		sdk.SetExtension("partitionkey", e.PartitionKey)
		sdk.SetExtension("recordedtime", e.RecordedTime)
		if rapid.Bool().Draw(t, "traced") {
			e.TraceParent, e.TraceState = attribute(t), attribute(t)
			sdk.SetExtension("traceparent", e.TraceParent)
			sdk.SetExtension("tracestate", e.TraceState)
		}
		got := e.append(nil, "https://app.mk.io")
		sdk.DataEncoded = marshal(t, e.Data)
		if err := sdk.Validate(); err != nil {
			t.Fatal(err)
		}
		want, err := sdk.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Fatalf("wrote\n%s\nnot\n%s", got, want)
		}
	})
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
		d.Errors = append(d.Errors, Problem{Code: text(t), Message: text(t)})
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
