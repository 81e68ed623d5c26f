package event

import (
	"encoding/json"
	"fmt"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// Attributes that are the same for every event.
const (
	specVersion     = "1.0"
	dataContentType = "application/json"
)

// DataSchema identifies the JSON Schema of [Data]; the schemas package holds it.
const DataSchema = "urn:mkio-bridge:schema:state-changed:1"

// An Event is a change of state in the log: the CloudEvent's attributes and its data.
type Event struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	DataSchema      string    `json:"dataschema"`
	PartitionKey    string    `json:"partitionkey"`
	RecordedTime    time.Time `json:"recordedtime"`
	TraceParent     string    `json:"traceparent,omitempty"`
	TraceState      string    `json:"tracestate,omitempty"`
	Data            Data      `json:"data"`
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
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
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
func Decode(payload []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(payload, &e); err != nil {
		return Event{}, fmt.Errorf("decode event: %w", err)
	}
	return e, nil
}

// Key returns the key of the event's resource.
func (d Data) Key() (lifecycle.Key, error) { return lifecycle.NewKey(d.Kind, d.Project, d.Path...) }
