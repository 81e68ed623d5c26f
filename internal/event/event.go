package event

import (
	"encoding/json"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

	"mkio-bridge/internal/lifecycle"
)

// DataSchema identifies the JSON Schema of [Data]; the schemas package holds it.
const DataSchema = "urn:mkio-bridge:schema:state-changed:1"

// Extension attributes. Those of the trace are optional.
const (
	extensionPartitionKey = "partitionkey"
	extensionRecordedTime = "recordedtime"
	extensionTraceParent  = "traceparent"
	extensionTraceState   = "tracestate"
)

// An Event is a change of state in the log: a CloudEvent, with its extension attributes and data decoded.
type Event struct {
	cloudevents.Event
	PartitionKey string // the resource token
	RecordedTime time.Time
	Origin       Trace // the start of the trace in which the event was written; zero: none
	Data         Data
}

// Data is the data of an event.
type Data struct {
	Kind                  lifecycle.Kind  `json:"kind"`
	Project               string          `json:"project"`
	Name                  string          `json:"name"`
	Path                  []string        `json:"path"`
	Transition            uint64          `json:"transition"`
	PreviousHash          string          `json:"previousHash,omitempty"`
	PreviousState         *string         `json:"previousState,omitempty"`
	State                 string          `json:"state"`
	PreviousPhase         lifecycle.Phase `json:"previousPhase,omitempty"`
	Phase                 lifecycle.Phase `json:"phase"`
	ProvisioningState     string          `json:"provisioningState"`
	Errors                []Problem       `json:"errors,omitempty"`
	Evidence              Evidence        `json:"evidence"`
	Via                   lifecycle.Via   `json:"via"`
	ReportedPreviousState *string         `json:"reportedPreviousState,omitempty"`
	Delivery              *Delivery       `json:"delivery,omitempty"`
	CorrelationData       json.RawMessage `json:"correlationData,omitempty"`
	Resource              json.RawMessage `json:"resource,omitempty"`
	ResourceOmitted       string          `json:"resourceOmitted,omitempty"`
}

// A Problem is an error that MK.IO reports of the resource.
type Problem struct {
	Code     string `json:"code,omitempty"`
	Message  string `json:"message"`
	Category string `json:"category,omitempty"`
	Retry    string `json:"retry,omitempty"`
	Output   string `json:"output,omitempty"`
}

// Evidence is what the decision was based on and what the next one needs.
type Evidence struct {
	Life             string     `json:"life,omitempty"`
	Modified         *time.Time `json:"modified,omitempty"`
	SeenAfter        *time.Time `json:"seenAfter,omitempty"`
	SeenBefore       *time.Time `json:"seenBefore,omitempty"`
	TimeFrom         string     `json:"timeFrom"`
	PreviousSequence uint64     `json:"previousSequence,omitempty"`
}

// The origins of an event's time.
const (
	TimeFromMKIO     = "mkio"
	TimeFromObserved = "observed"
)

// A Delivery is the webhook delivery of an event.
type Delivery struct {
	ID           string     `json:"id"`
	Type         string     `json:"type"`
	Time         *time.Time `json:"time,omitempty"`
	ReceivedTime time.Time  `json:"receivedTime"`
}

// TypeOf returns the CloudEvents type of a kind's events: of changes of state, or of resources that existed before the first
// sweep.
func TypeOf(kind lifecycle.Kind, discovered bool) string {
	if discovered {
		return "mkio." + string(kind) + ".state.discovered"
	}
	return "mkio." + string(kind) + ".state.changed"
}

// Decode decodes an event's payload.
func Decode(payload []byte) (e Event, err error) {
	defer func() {
		// The SDK panics on some JSON. Anybody with the right to publish can put it on the subjects of the log.
		if r := recover(); r != nil {
			e, err = Event{}, fmt.Errorf("decode event: the CloudEvents SDK panicked: %v", r)
		}
	}()
	if err := e.Event.UnmarshalJSON(payload); err != nil {
		return Event{}, fmt.Errorf("decode event: %w", err)
	}
	if err := e.Validate(); err != nil {
		return Event{}, fmt.Errorf("decode event: %w", err)
	}
	if err := json.Unmarshal(e.DataEncoded, &e.Data); err != nil {
		return Event{}, fmt.Errorf("decode data of event %s: %w", e.ID(), err)
	}
	extensions := e.Extensions()
	e.PartitionKey, _ = extensions[extensionPartitionKey].(string)
	e.Origin.Parent, _ = extensions[extensionTraceParent].(string)
	e.Origin.State, _ = extensions[extensionTraceState].(string)
	if e.RecordedTime, err = types.ToTime(extensions[extensionRecordedTime]); err != nil {
		return Event{}, fmt.Errorf("decode %s of event %s: %w", extensionRecordedTime, e.ID(), err)
	}
	return e, nil
}

// UnmarshalJSON calls [Decode]: the SDK's method alone would leave the data undecoded.
func (e *Event) UnmarshalJSON(payload []byte) (err error) {
	*e, err = Decode(payload)
	return err
}

// Key returns the key of the event's resource.
func (d Data) Key() (lifecycle.Key, error) { return lifecycle.NewKey(d.Kind, d.Project, d.Path...) }
