package event

import (
	"encoding/json"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// CoverageSchema identifies the JSON Schema of [Coverage]; the schemas package holds it.
const CoverageSchema = "urn:mkio-bridge:schema:coverage:1"

// A CoverageRecord is what a record of coverage says.
type CoverageRecord string

// The records.
const (
	Covered   CoverageRecord = "covered"    // every resource of the kind was compared with MK.IO
	GapOpened CoverageRecord = "gap-opened" // that failed, or is overdue: from From on nothing is proven
	GapClosed CoverageRecord = "gap-closed" // the sweep that follows a gap was whole: from To on all is proven again
)

// A Coverage is what is proven of one kind of resource of one project. It lies on the audit stream as JSON.
type Coverage struct {
	Schema  string         `json:"schema"`
	Record  CoverageRecord `json:"record"`
	Project string         `json:"project"`
	Kind    lifecycle.Kind `json:"kind"`
	// From and To are, of a sweep, when its first and its last comparison were made, on the bridge's clock;
	// of a gap, when the last comparison before it was made and, once it is closed, when the first behind it was.
	From time.Time  `json:"from"`
	To   *time.Time `json:"to,omitempty"`
	// Of a sweep: when the next is due at the latest. What comes after that without a record is not proven.
	Due *time.Time `json:"due,omitempty"`
	// Of a sweep: how many resources MK.IO listed or the log knew; of these, how many rested, so that their existence was
	// compared and their state was not asked for again; how many were otherwise in MK.IO than in the log; and of these, how
	// many the sweep itself recorded.
	Resources int `json:"resources"`
	Rested    int `json:"rested"`
	Differed  int `json:"differed"`
	Repaired  int `json:"repaired"`
	// Horizon is the last sequence of the log when the sweep began: what it was compared with at the least.
	Horizon uint64 `json:"horizon,omitempty"`
	// Reason is why a gap was opened.
	Reason       string    `json:"reason,omitempty"`
	RecordedTime time.Time `json:"recordedtime"`
}

// Encode writes a record down.
func (c Coverage) Encode() ([]byte, error) {
	c.Schema = CoverageSchema
	return json.Marshal(c)
}

// DecodeCoverage reads a record.
func DecodeCoverage(payload []byte) (Coverage, error) {
	var c Coverage
	err := json.Unmarshal(payload, &c)
	return c, err
}
