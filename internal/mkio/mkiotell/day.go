package mkiotell

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// A Change is one change of state that MK.IO tells by webhook.
type Change struct {
	At       time.Time // when it happened, on MK.IO's clock
	Type     string    // e.g. MediaKind.JobFinished
	Project  string
	Source   string // as the delivery gives it: jobs come without /media/
	Previous string
	State    string
	Record   any // as a GET of the resource would give it
}

// Delivery is the body that tells the change.
func (c Change) Delivery(id string) []byte {
	body, err := json.Marshal(map[string]any{
		"specversion":     "1.0",
		"id":              id,
		"type":            c.Type,
		"source":          c.Source,
		"time":            stamp(c.At),
		"datacontenttype": "application/json",
		"data": map[string]any{
			"projectName":   c.Project,
			"previousState": c.Previous,
			"state":         c.State,
			"resource":      c.Record,
		},
	})
	if err != nil {
		panic(err) // it is made of strings and numbers
	}
	return body
}

// Day scripts a day that begins at start: jobs encode (some fail, some are canceled, one name is
// used twice), what they made is published, channels go on air and off, windows are scheduled.
// jobs is how many jobs there are; the rest grows with them.
func Day(rng *rand.Rand, start time.Time, jobs int) []Change {
	d := day{rng: rng, start: start}
	for i := range jobs {
		d.job(fmt.Sprintf("ep-%04d", i+1), d.moment(0, 20*time.Hour))
	}
	d.reusedJob("nightly-promo")
	for i := range 1 + jobs/10 {
		d.channel(fmt.Sprintf("news-%d", i+1))
		d.window(fmt.Sprintf("match-%d", i+1))
	}
	slices.SortStableFunc(d.changes, func(a, b Change) int { return a.At.Compare(b.At) })
	return d.changes
}

const (
	vod  = "aurora-vod"
	live = "harbor-live"
)

// A day is a script being written.
type day struct {
	rng     *rand.Rand
	start   time.Time
	changes []Change
}

// moment is a random time between two offsets from midnight.
func (d *day) moment(from, to time.Duration) time.Time {
	return d.start.Add(from + time.Duration(d.rng.Int64N(int64(to-from)))).Truncate(time.Microsecond)
}

func (d *day) job(name string, created time.Time) (ended time.Time) {
	life := d.id()
	started := created.Add(d.between(time.Second, time.Minute))
	ended = started.Add(d.between(2*time.Minute, 40*time.Minute))
	end := "Finished"
	switch p := d.rng.IntN(20); {
	case p < 2:
		end = "Error"
	case p < 3:
		end = "Canceled"
	}
	d.tellJob("JobStarted", "Queued", "Processing", name, life, created, started)
	d.tellJob("JobFinished", "Processing", end, name, life, created, ended)
	if end == "Finished" {
		d.locator(name+"-pub", ended.Add(d.between(time.Second, time.Minute)))
	}
	return ended
}

// reusedJob runs two jobs under one name; nobody tells that the first was deleted.
func (d *day) reusedJob(name string) {
	ended := d.job(name, d.moment(time.Hour, 2*time.Hour))
	d.job(name, ended.Add(d.between(time.Hour, 2*time.Hour)))
}

func (d *day) tellJob(event, previous, state, name, life string, created, at time.Time) {
	output := map[string]any{"@odata.type": "#Microsoft.Media.JobOutputAsset", "assetName": name + "-out", "state": state}
	if state == "Error" {
		output["error"] = map[string]any{"code": "ContentUnsupported", "category": "Content", "message": "The input holds no decodable video track.", "retry": "DoNotRetry"}
	}
	d.tell(Change{
		At: at, Type: "MediaKind." + event, Project: vod, Previous: previous, State: state,
		Source: "/api/v1/projects/" + vod + "/transforms/ladder-hd/jobs/" + name,
		Record: map[string]any{
			"name": name,
			"id":   "/subscriptions/0/resourceGroups/default/providers/Microsoft.Media/mediaservices/" + vod + "/transforms/ladder-hd/jobs/" + name,
			"properties": map[string]any{
				"created": stamp(created), "lastModified": stamp(at.Add(-100 * time.Millisecond)), "state": state, "priority": "Normal",
				"input":           map[string]any{"@odata.type": "#Microsoft.Media.JobInputHttp", "baseUri": "https://ingest.example/drop/", "files": []string{name + ".mov?sig=not-for-the-log"}},
				"outputs":         []any{output},
				"correlationData": map[string]any{"houseId": "LH-" + name},
			},
			"systemData": d.systemData(life, created, at),
		},
	})
}

func (d *day) locator(name string, created time.Time) {
	at := created.Add(d.between(time.Second, 5*time.Second))
	d.tell(Change{
		At: at, Type: "MediaKind.StreamingLocatorCreated", Project: vod, Previous: "Creating", State: "Created",
		Source: "/api/v1/projects/" + vod + "/media/streamingLocators/" + name,
		Record: map[string]any{
			"name":       name,
			"properties": map[string]any{"assetName": name, "provisioningState": "Succeeded", "resourceState": "Created"},
			"systemData": d.systemData(d.id(), created, at),
		},
	})
}

// channel goes on air in the morning and off at night; some do not start at first.
func (d *day) channel(name string) {
	life := "channel-" + name // it lives on from day to day
	created := time.Date(1999, 12, 1, 0, 0, 0, 0, time.UTC)
	tell := func(event, previous, state string, at time.Time) {
		d.tell(Change{
			At: at, Type: "MediaKind.ChannelInstance" + event, Project: live, Previous: previous, State: state,
			Source: "/api/v1/projects/" + live + "/live/liveChannels/" + name,
			Record: map[string]any{
				"kind":     "liveChannel",
				"metadata": map[string]any{"id": life, "name": name, "created": stamp(created), "updated": stamp(at.Add(-100 * time.Millisecond))},
				"spec":     map[string]any{"state": "Running", "transform": map[string]any{"type": "LiveChannel"}},
				"status":   map[string]any{"state": state},
			},
		})
	}
	morning := d.moment(5*time.Hour, 7*time.Hour)
	if d.rng.IntN(3) == 0 {
		tell("Error", "Starting", "UnableToStart", morning.Add(-10*time.Minute))
	}
	tell("Started", "Starting", "Running", morning)
	tell("Stopped", "Stopping", "Stopped", d.moment(22*time.Hour, 23*time.Hour))
}

// window is a scheduled operation of a live event.
func (d *day) window(name string) {
	id, at := d.id(), d.moment(10*time.Hour, 18*time.Hour)
	tell := func(event, previous, state string, at time.Time) {
		d.tell(Change{
			At: at, Type: "MediaKind.ScheduledOperation" + event, Project: live, Previous: previous, State: state,
			Source: "/api/v1/projects/" + live + "/live/liveEvents/" + name + "/scheduledOperations/window",
			Record: map[string]any{
				"metadata": map[string]any{"id": id, "name": "window"},
				"spec":     map[string]any{"type": "MediaKind.ScheduledOperation.StartStop", "correlationData": map[string]any{"fixture": name}},
				"status":   map[string]any{"state": state, "errors": []string{}},
			},
		})
	}
	tell("Accepted", "Pending", "Accepted", at.Add(-time.Hour))
	tell("Ongoing", "Accepted", "Ongoing", at)
	tell("Completed", "Ongoing", "Completed", at.Add(d.between(90*time.Minute, 3*time.Hour)))
}

func (d *day) tell(c Change) { d.changes = append(d.changes, c) }

func (d *day) systemData(life string, created, modified time.Time) map[string]any {
	return map[string]any{
		"internalId": life, "createdBy": "ops.bot@fake.example", "createdAt": stamp(created),
		"lastModifiedBy": "ops.bot@fake.example", "lastModifiedAt": stamp(modified.Add(-100 * time.Millisecond)),
	}
}

func (d *day) between(from, to time.Duration) time.Duration {
	return (from + time.Duration(d.rng.Int64N(int64(to-from)))).Truncate(time.Microsecond)
}

func (d *day) id() string { return newID(d.rng) }

// newID makes a UUID of a random source, so that a seed gives the same ids again.
func newID(rng *rand.Rand) string {
	a, b := rng.Uint64(), rng.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0xfff, b&0xffffffffffff)
}

// stamp writes a time as MK.IO does.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }
