package poll_test

import (
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// A progressRecorder notes what a poller passes to its store.
type progressRecorder struct {
	mu      sync.Mutex
	values  map[lifecycle.Key][]event.Progress
	deleted map[string]int // by token
}

func (r *progressRecorder) Put(_ string, p event.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.values[p.Key] = append(r.values[p.Key], p)
}

func (r *progressRecorder) Delete(resource string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deleted[resource]++
}

// takeValues returns the values since the last call.
func (r *progressRecorder) takeValues() map[lifecycle.Key][]event.Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	values := r.values
	r.values = map[lifecycle.Key][]event.Progress{}
	return values
}

// A job's progress is what its rows show while it is recorded as running. It takes no request, and leaves no trace in the log.
func TestTheProgressOfRunningJobsIsRead(t *testing.T) {
	requests, events := map[bool]map[string]int{}, map[bool]int{}
	for _, stored := range []bool{false, true} {
		inWorld(t, mkiofake.Config{}, func(w *world) {
			recorder := &progressRecorder{values: map[lifecycle.Key][]event.Progress{}, deleted: map[string]int{}}
			if stored {
				w.progress = recorder
			}
			few, many := w.key(lifecycle.Job, "t", "ep"), w.key(lifecycle.Job, "t", "other")
			w.mkio.Create(w.key(lifecycle.Job, "t", "queued"), "Queued")
			w.mkio.Create(w.key(lifecycle.Job, "t", "finished"), "Finished")
			w.mkio.Create(w.key(lifecycle.StreamingLocator, "pub"), "Created")
			w.mkio.Create(few, "Processing")
			for i := range 20 {
				w.mkio.Create(w.key(lifecycle.Job, "t", fmt.Sprint("ep-", i)), "Processing")
			}
			w.mkio.Create(many, "Processing")
			w.start(lifecycle.Job, lifecycle.StreamingLocator)
			time.Sleep(2 * time.Minute)
			if stored {
				checkProgress(w, recorder, few)
			}
			for i := range 20 {
				w.mkio.Move(w.key(lifecycle.Job, "t", fmt.Sprint("ep-", i)), "Finished")
			}
			w.mkio.Move(many, "Error")
			w.mkio.Delete(few)
			time.Sleep(5 * time.Minute)
			recorder.takeValues()
			time.Sleep(5 * time.Minute)
			if stored {
				checkEnds(w, recorder, 22)
			}
			requests[stored] = w.mkio.Requests(project).ByRoute
			for _, of := range w.events() {
				events[stored] += len(of)
			}
		})
	}
	// Polls are scheduled with some randomness, so that a few more or less are made. A request for each value would be hundreds.
	alike := maps.EqualFunc(requests[true], requests[false], func(with, without int) bool { return max(with-without, without-with) < 20 })
	if !alike || events[true] != events[false] {
		t.Errorf("with a store: %v, %d events; without: %v, %d events", requests[true], events[true], requests[false], events[false])
	}
}

// checkProgress checks that the values of a job grow, and that only running jobs have any.
func checkProgress(w *world, recorder *progressRecorder, job lifecycle.Key) {
	w.t.Helper()
	values := recorder.takeValues()
	if len(values) != 22 {
		w.t.Errorf("%d jobs have a progress", len(values))
	}
	of := values[job]
	if len(of) < 5 {
		w.t.Fatalf("%d values: %+v", len(of), of)
	}
	first, last := of[0], of[len(of)-1]
	if last.Percent <= first.Percent || last.Percent >= 100 || !last.Time.After(first.Time) {
		w.t.Errorf("from %+v to %+v", first, last)
	}
	if last.Output == "" || last.Life == "" || last.Source == "" || last.Subject != "transforms/t/jobs/ep" {
		w.t.Errorf("%+v", last)
	}
}

// checkEnds checks that the end of each job deleted its progress, and that there is none after that.
func checkEnds(w *world, recorder *progressRecorder, jobs int) {
	w.t.Helper()
	if values := recorder.takeValues(); len(values) > 0 {
		w.t.Errorf("%d jobs have a progress after their end", len(values))
	}
	recorder.mu.Lock()
	defer recorder.mu.Unlock()
	if len(recorder.deleted) < jobs {
		w.t.Errorf("deleted: %v", recorder.deleted)
	}
}

// A stored copy, or a list that lags behind the end of a job, says nothing about how far the job is.
func TestAnEndedJobHasNoProgress(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		recorder := &progressRecorder{values: map[lifecycle.Key][]event.Progress{}, deleted: map[string]int{}}
		w.progress = recorder
		job := w.key(lifecycle.Job, "t", "ep")
		lags := false
		w.transport.set(func(tr *transport) {
			tr.editRecord = func(_ string, row map[string]any) {
				if properties, ok := row["properties"].(map[string]any); ok && lags {
					properties["state"] = "Processing"
				}
			}
		})
		w.mkio.Create(job, "Processing")
		b := w.start(lifecycle.Job)
		time.Sleep(time.Minute)
		w.mkio.Move(job, "Finished")
		w.awaitState(b, time.Minute, job, "Finished")
		recorder.takeValues()
		w.transport.set(func(*transport) { lags = true })
		time.Sleep(full)
		if values := recorder.takeValues(); len(values) > 0 {
			w.t.Errorf("%d values after the end", len(values[job]))
		}
		if !b.poller.EndedHere(names.Resource(job), job) {
			t.Error("its progress is not this bridge's to delete")
		}
		other, err := lifecycle.NewKey(lifecycle.Job, "another-project", "t", "ep")
		if err != nil || b.poller.EndedHere(names.Resource(other), other) {
			t.Errorf("the progress of another project is this bridge's to delete (%v)", err)
		}
	})
}
