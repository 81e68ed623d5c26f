package main

import (
	"crypto/rand"
	"encoding/json"
	"time"
)

// A change is a job's transition to a state.
type change struct {
	Job   string `json:"job"`
	State string `json:"state"`
}

// states are the states of every job, in order.
var states = []string{"Scheduled", "Processing", "Finished"}

const transform = "ladder-hd"

// A job is a simulated job on its way through states.
type job struct {
	project, name string
	created       time.Time
	reached       int // number of states reached
}

// next moves the job to its next state, and returns the change and its delivery.
func (j *job) next(now time.Time) (change, []byte, error) {
	c := change{Job: j.name, State: states[j.reached]}
	kind, previous := "MediaKind.JobStarted", "Queued"
	if j.reached > 0 {
		previous = states[j.reached-1]
	}
	if c.State == "Finished" {
		kind = "MediaKind.JobFinished"
	}
	j.reached++
	type object = map[string]any
	at := now.UTC().Format(time.RFC3339Nano)
	body, err := json.Marshal(object{
		"specversion": "1.0", "id": rand.Text(), "type": kind, "time": at, "datacontenttype": "application/json",
		"source": "/api/v1/projects/" + j.project + "/transforms/" + transform + "/jobs/" + j.name,
		"data": object{
			"projectName": j.project, "previousState": previous, "state": c.State,
			"resource": object{
				"name": j.name,
				"properties": object{
					"created": j.created.UTC().Format(time.RFC3339Nano), "lastModified": at, "state": c.State,
				},
			},
		},
	})
	return c, body, err
}

func (j *job) done() bool { return j.reached == len(states) }
