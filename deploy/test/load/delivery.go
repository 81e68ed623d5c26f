package main

import (
	"crypto/rand"
	"encoding/json"
	"time"
)

// A change is one state that a job came to.
type change struct {
	Job   string `json:"job"`
	State string `json:"state"`
}

// states are those of every job, in order.
var states = []string{"Scheduled", "Processing", "Finished"}

const transform = "ladder-hd"

// A job is one that goes through its states.
type job struct {
	project, name string
	created       time.Time
	reached       int // states it has come to
}

// next takes the job one state further, and returns the change and the delivery that tells it.
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
