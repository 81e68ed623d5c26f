package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
	"mkio-bridge/internal/schematest"
)

// The progress of a running job is in the bucket, in its row and in the output of state, and is gone when the job has ended.
func TestTheProgressOfARunningJobIsShown(t *testing.T) {
	job, err := lifecycle.NewKey(lifecycle.Job, mkiofake.VOD, "ladder-hd", "ep-0417")
	if err != nil {
		t.Fatal(err)
	}
	simulate(t, 0, mkiofake.Faults{}, func(s *simulation) {
		ctx, stop := context.WithCancel(s.t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.bridge.progress.Run(ctx) })
		defer running.Wait()
		defer stop()
		resource := s.bridge.names.Resource(job)
		s.fake.Create(job, "Queued")
		time.Sleep(time.Minute)
		if percent := s.progressInRows(); percent != nil {
			s.t.Errorf("of a queued job: %d %%", *percent)
		}
		s.fake.Move(job, "Processing")
		time.Sleep(5 * time.Minute)
		bucket, err := s.bridge.js.KeyValue(ctx, "mkio_progress")
		if err != nil {
			s.t.Fatal(err)
		}
		entry, err := bucket.Get(ctx, resource)
		if err != nil {
			s.t.Fatal(err)
		}
		schematest.Progress(s.t, entry.Value())
		p, _, err := event.ParseProgress(nil, entry.Value())
		if err != nil || p.Percent < 50 || p.Source != "https://app.mk.io/api/v1/projects/"+mkiofake.VOD+"/media/transforms/ladder-hd/jobs/ep-0417" {
			s.t.Errorf("%+v, %v", p, err)
		}
		if percent := s.progressInRows(); percent == nil || *percent != p.Percent {
			s.t.Errorf("the row has %v, want %d", percent, p.Percent)
		}
		progress, err := s.bridge.events.Progress(ctx)
		if last, ok, currentErr := s.bridge.events.Current(ctx, job); err != nil || currentErr != nil || !ok || !strings.Contains(colour(false).stateLine(progress)(last), "Processing "+progressText(p)) {
			s.t.Errorf("%v, %v: %+v", err, currentErr, progress)
		}
		s.fake.Move(job, "Finished")
		time.Sleep(time.Minute)
		if _, err := bucket.Get(ctx, resource); !errors.Is(err, jetstream.ErrKeyNotFound) {
			s.t.Errorf("after the end: %v", err)
		}
		if percent := s.progressInRows(); percent != nil {
			s.t.Errorf("of a finished job: %d %%", *percent)
		}
	}, func(c *config) { c.Progress, c.PollActive = true, 5*time.Second })
}

// progressInRows returns the progress in the one row of /v1/resources; nil if it has none.
func (s *simulation) progressInRows() *int {
	s.t.Helper()
	request := httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://127.0.0.1:9090/v1/resources?view=row&kind=job", nil)
	response := httptest.NewRecorder()
	s.bridge.adminRoutes(true).ServeHTTP(response, request)
	var body struct {
		Items []struct{ ProgressPercent *int }
	}
	if err := json.Unmarshal(response.Body.Bytes(), &body); err != nil || len(body.Items) != 1 {
		s.t.Fatalf("%v: %s", err, response.Body)
	}
	return body.Items[0].ProgressPercent
}

// What another life of the name left in the bucket is not shown.
func TestOnlyTheProgressOfTheSameLifeIsShown(t *testing.T) {
	last := eventlog.LoggedEvent{}
	last.Event.PartitionKey = "job.p.t.ep"
	last.Event.Data = event.Data{Kind: lifecycle.Job, Project: "p", Path: []string{"t", "ep"}, State: "Processing", Evidence: event.Evidence{Life: "life-2"}}
	for life, want := range map[string]bool{"life-2": true, "life-1": false, "": true} {
		progress := map[string]event.Progress{"job.p.t.ep": {Life: life, Percent: 40}}
		if line := colour(false).stateLine(progress)(last); strings.Contains(line, "Processing 40%") != want {
			t.Errorf("%q: %s", life, line)
		}
	}
}
