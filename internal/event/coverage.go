package event

import (
	"encoding/json"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// CoverageSchema identifies the JSON Schema of [Coverage]; the schemas package holds it.
const CoverageSchema = "urn:mkio-bridge:schema:coverage:1"

// A CoverageRecord is the type of a coverage record.
type CoverageRecord string

// The types of records.
const (
	Covered   CoverageRecord = "covered"    // every resource of the kind was compared with MK.IO
	GapOpened CoverageRecord = "gap-opened" // a comparison failed or is overdue: nothing is verified from From on
	GapClosed CoverageRecord = "gap-closed" // the first complete sweep after a gap: everything is verified again from To on
)

// A Coverage is a record of when one kind of resource of one project was compared with MK.IO. It is stored as JSON in the
// audit stream.
type Coverage struct {
	Schema  string         `json:"schema"`
	Record  CoverageRecord `json:"record"`
	Project string         `json:"project"`
	Kind    lifecycle.Kind `json:"kind"`
	// From and To are, on the bridge's clock: of a sweep, the times of its first and last comparison; of a gap, the time of
	// the last comparison before it and, once it is closed, of the first one after it.
	From time.Time  `json:"from"`
	To   *time.Time `json:"to,omitempty"`
	// Due is, of a sweep, when the next is due at the latest. The time after it is not verified unless there is another record.
	Due *time.Time `json:"due,omitempty"`
	// Counts of a sweep: Resources that MK.IO listed or the log has; of these Rested, which were at rest, so that only their
	// existence was compared, and their state not requested; of these Differed, whose state in MK.IO was not that of the log;
	// and of those Repaired, which the sweep itself recorded.
	Resources int `json:"resources"`
	Rested    int `json:"rested"`
	Differed  int `json:"differed"`
	Repaired  int `json:"repaired"`
	// Horizon is the last sequence of the log when the sweep began: MK.IO was compared with the log at least up to it.
	Horizon uint64 `json:"horizon,omitempty"`
	// Reason says why a gap was opened.
	Reason       string    `json:"reason,omitempty"`
	RecordedTime time.Time `json:"recordedtime"`
}

// Encode encodes a record, with its schema.
func (c Coverage) Encode() ([]byte, error) {
	c.Schema = CoverageSchema
	return json.Marshal(c)
}

// DecodeCoverage decodes a record.
func DecodeCoverage(payload []byte) (Coverage, error) {
	var c Coverage
	err := json.Unmarshal(payload, &c)
	return c, err
}
