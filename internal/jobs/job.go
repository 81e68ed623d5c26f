// Package jobs runs tasks of operators that take long, one of each kind at a time in all bridges together. Progress and result
// are stored in a bucket that all bridges share, so that any of them can show a job, whichever runs it.
//
// The bucket has the newest job of each kind under job.<kind>, and the [history] jobs before it under job.<kind>.<number modulo
// history>. Every write of job.<kind> is a compare-and-swap (store.go). A running job is written every few seconds by the bridge
// that runs it (runner.go). If it was not, its bridge has died: whoever reads the job next ends it as failed. If that bridge
// was only held up, its next write conflicts, and it stops the task.
package jobs

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// A State is how far a job is.
type State string

// The states.
const (
	Running State = "running"
	Done    State = "done"   // it has a result, good or bad
	Failed  State = "failed" // it has no result: Error says why
)

// A Time is a time with milliseconds in JSON.
type Time struct{ time.Time }

// MarshalJSON writes RFC 3339 in UTC.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(t.UTC().Format(`"2006-01-02T15:04:05.000Z07:00"`)), nil
}

func now() Time { return Time{time.Now().UTC().Truncate(time.Millisecond)} }

// A Progress is how many steps of a job are done.
type Progress struct {
	Done  uint64 `json:"done"`
	Total uint64 `json:"total,omitempty"` // 0: not known in advance
	Unit  string `json:"unit"`            // of the steps, e.g. events
}

// A Job is one run of a task.
type Job struct {
	ID         string            `json:"id"`
	Kind       string            `json:"kind"`
	State      State             `json:"state"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Bridge     string            `json:"bridge"` // host of the bridge that runs it
	Started    Time              `json:"started"`
	Updated    Time              `json:"updated"` // when that bridge wrote this
	Ended      *Time             `json:"ended,omitempty"`
	Progress   *Progress         `json:"progress,omitempty"`
	Result     json.RawMessage   `json:"result,omitempty"`
	Error      string            `json:"error,omitempty"`
}

// fail ends a job as failed.
func (j *Job) fail(reason string) {
	ended := now()
	j.State, j.Error, j.Ended, j.Updated = Failed, reason, &ended, ended
}

// newID returns the id of a job: its kind, its number among those of the kind, and a random part, because numbers begin again
// when the bucket was lost.
func newID(kind string, number uint64) string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails
	return fmt.Sprintf("%s-%d-%s", kind, number, hex.EncodeToString(random[:]))
}

var idPattern = regexp.MustCompile(`^([a-z]+)-([0-9]{1,18})-[0-9a-f]{8}$`)

// parseID returns kind and number of an id.
func parseID(id string) (kind string, number uint64, ok bool) {
	parts := idPattern.FindStringSubmatch(id)
	if parts == nil {
		return "", 0, false
	}
	number, err := strconv.ParseUint(parts[2], 10, 64)
	return parts[1], number, err == nil
}

// number returns the job's number among those of its kind.
func (j Job) number() uint64 {
	_, number, _ := parseID(j.ID)
	return number
}
