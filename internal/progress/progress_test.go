package progress_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/progress"
	"mkio-bridge/internal/schematest"
	"mkio-bridge/internal/streams"
)

var names = event.NewNames(event.DefaultPrefix)

// settled is longer than a write takes, and shorter than anything that is due at an interval. Time is virtual.
const settled = 100 * time.Millisecond

// A fixture is a JetStream, in virtual time, with the bridges that a test starts.
type fixture struct {
	t      *testing.T
	server brokertest.Server
	js     jetstream.JetStream
	ended  sync.Map // jobs that have ended, in the opinion of all bridges, by token
	log    bridgetest.Buffer
}

func inFixture(t *testing.T, test func(f *fixture)) {
	t.Helper()
	defer brokertest.StartServerClock()()
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{t: t, server: brokertest.Start(t)}
		_, f.js = f.server.Connect()
		test(f)
	})
}

func config(create bool) streams.Config {
	return streams.Config{Names: names, Replicas: 1, Create: create, Progress: true}
}

// bridge starts the store of a bridge. stop ends it.
func (f *fixture) bridge(create bool) (store *progress.Store, stop func()) {
	f.t.Helper()
	_, js := f.server.Connect()
	store = progress.New(progress.Config{
		JS: js, Streams: config(create), BaseURL: "https://app.mk.io",
		Ended:  func(resource string, _ lifecycle.Key) bool { _, ended := f.ended.Load(resource); return ended },
		Advise: func(error) string { return "advice" },
		Log:    slog.New(slog.NewTextHandler(&f.log, nil)),
	})
	ctx, cancel := context.WithCancel(f.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); store.Run(ctx) }()
	stop = func() { cancel(); <-done }
	f.t.Cleanup(stop)
	time.Sleep(settled)
	return store, stop
}

// put notes how far a job is, and returns the job's token.
func (f *fixture) put(store *progress.Store, job string, percent int) string {
	f.t.Helper()
	key, err := lifecycle.NewKey(lifecycle.Job, "aurora-vod", "ladder-hd", job)
	if err != nil {
		f.t.Fatal(err)
	}
	resource := names.Resource(key)
	store.Put(resource, event.Progress{
		Key: key, Life: "life-1", Percent: percent, Output: "hd_0", Time: time.Now(),
		Source: "/api/v1/projects/aurora-vod/media/transforms/ladder-hd/jobs/" + job, Subject: "transforms/ladder-hd/jobs/" + job,
	})
	time.Sleep(settled)
	return resource
}

func (f *fixture) bucket() jetstream.KeyValue {
	f.t.Helper()
	bucket, err := f.js.KeyValue(f.t.Context(), names.ProgressBucket())
	if err != nil {
		f.t.Fatal(err)
	}
	return bucket
}

// watch returns a function that returns what an ordinary watcher of the bucket has seen since it began.
func (f *fixture) watch() func() []string {
	f.t.Helper()
	watcher, err := f.bucket().WatchAll(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = watcher.Stop() })
	var seen []string
	return func() []string {
		time.Sleep(settled)
		for {
			select {
			case entry := <-watcher.Updates():
				if entry == nil { // the end of what the bucket had
					continue
				}
				seen = append(seen, f.describe(entry))
			default:
				return seen
			}
		}
	}
}

func (f *fixture) describe(entry jetstream.KeyValueEntry) string {
	f.t.Helper()
	job := entry.Key()[strings.LastIndex(entry.Key(), ".")+1:]
	if entry.Operation() != jetstream.KeyValuePut {
		return job + " ended"
	}
	schematest.Progress(f.t, entry.Value())
	p, stored, err := event.ParseProgress(nil, entry.Value())
	if err != nil || !stored {
		f.t.Fatalf("%s: %v", entry.Value(), err)
	}
	return fmt.Sprintf("%s %d%%", job, p.Percent)
}

func (f *fixture) want(what string, got []string, want ...string) {
	f.t.Helper()
	if !slices.Equal(got, want) {
		f.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// stored returns what the bucket has of a job.
func (f *fixture) stored(resource string) string {
	f.t.Helper()
	entry, err := f.bucket().Get(f.t.Context(), resource)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return "none"
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return f.describe(entry)
}

func TestAValueIsWrittenAtSteps(t *testing.T) {
	inFixture(t, func(f *fixture) {
		store, _ := f.bridge(true)
		seen := f.watch()
		for _, percent := range []int{0, 4, 5, 9, 12, 12} {
			f.put(store, "ep", percent)
		}
		f.want("at steps of 5 points", seen(), "ep 0%", "ep 5%", "ep 12%")
		time.Sleep(progress.MaxAge)
		f.put(store, "ep", 12)
		f.put(store, "ep", 3) // MK.IO's estimate may go back
		f.want("after 30 s, and back", seen()[3:], "ep 12%", "ep 3%")
	})
}

func TestAValueGoesWhenItsJobEnds(t *testing.T) {
	inFixture(t, func(f *fixture) {
		store, _ := f.bridge(true)
		seen := f.watch()
		resource := f.put(store, "ep", 40)
		if p, ok := store.Get(resource); !ok || p.Percent != 40 || p.Life != "life-1" {
			f.t.Errorf("%+v, %v", p, ok)
		}
		store.Delete(resource)
		store.Delete("job.aurora-vod.ladder-hd.never-ran")
		f.want("the end", seen(), "ep 40%", "ep ended")
		if p, ok := store.Get(resource); ok {
			f.t.Errorf("after the end: %+v", p)
		}
		f.put(store, "ep", 41) // a job with the same name
		f.want("the next life", seen()[2:], "ep 41%")
	})
}

// A bucket in memory with one value for each job, each of which expires.
func TestTheBucketExpires(t *testing.T) {
	inFixture(t, func(f *fixture) {
		store, _ := f.bridge(true)
		resource := f.put(store, "ep", 40)
		status, err := f.bucket().Status(f.t.Context())
		if err != nil || status.TTL() != time.Hour || status.History() != 1 {
			f.t.Errorf("%+v, %v", status, err)
		}
		stream, err := f.js.Stream(f.t.Context(), names.ProgressStream())
		if err != nil || stream.CachedInfo().Config.Storage != jetstream.MemoryStorage {
			f.t.Errorf("%+v, %v", stream, err)
		}
		time.Sleep(time.Hour)
		if p, ok := store.Get(resource); ok {
			f.t.Errorf("after an hour without a poll: %+v", p)
		}
	})
}

// A bridge that takes over a project deletes the values of jobs that ended while nobody polled it.
func TestABridgeDeletesWhatAnotherLeft(t *testing.T) {
	inFixture(t, func(f *fixture) {
		first, stop := f.bridge(true)
		second, _ := f.bridge(true)
		over, running := f.put(first, "over", 95), f.put(first, "running", 10)
		if p, ok := second.Get(over); !ok || p.Percent != 95 {
			f.t.Errorf("the other bridge has %+v, %v", p, ok)
		}
		stop()
		seen := f.watch()
		f.ended.Store(over, true)
		time.Sleep(time.Minute)
		f.put(second, "running", 11) // its first value of this job
		f.want("the bucket", seen(), "over 95%", "running 10%", "over ended", "running 11%")
		if got := f.stored(running); got != "running 11%" {
			f.t.Errorf("stored: %s", got)
		}
	})
}

// While the bucket is missing, putting a value does not wait, and the newest one is written when the bucket is there.
func TestALostBucketIsCreatedAnew(t *testing.T) {
	inFixture(t, func(f *fixture) {
		store, _ := f.bridge(true)
		other := f.put(store, "other", 90)
		if err := f.js.DeleteKeyValue(f.t.Context(), names.ProgressBucket()); err != nil {
			f.t.Fatal(err)
		}
		var resource string
		for _, percent := range []int{10, 20, 30} {
			resource = f.put(store, "ep", percent)
		}
		time.Sleep(10 * time.Minute)
		f.want("the new bucket", f.watch()(), "ep 30%")
		if p, ok := store.Get(resource); !ok || p.Percent != 30 {
			f.t.Errorf("%+v, %v", p, ok)
		}
		if p, ok := store.Get(other); ok {
			f.t.Errorf("of the old bucket: %+v", p)
		}
		f.put(store, "other", 91)
		f.want("the next values", f.watch()(), "ep 30%", "other 91%")
	})
}

// A bucket that was deleted and created anew between two checks is noticed, though no message of it shows that.
func TestABucketThatWasReplacedIsNoticed(t *testing.T) {
	inFixture(t, func(f *fixture) {
		store, _ := f.bridge(false)
		info, err := streams.EnsureProgress(f.t.Context(), f.js, config(true))
		if err != nil {
			f.t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		var first string
		for i := range 10 {
			first = f.put(store, fmt.Sprint("ep", i), 10)
		}
		if err := f.js.DeleteStream(f.t.Context(), info.Config.Name); err != nil {
			f.t.Fatal(err)
		}
		if _, err := streams.EnsureProgress(f.t.Context(), f.js, config(true)); err != nil {
			f.t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if p, ok := store.Get(first); ok {
			f.t.Errorf("of the old bucket: %+v", p)
		}
		resource := f.put(store, "new", 20)
		if p, ok := store.Get(resource); !ok || p.Percent != 20 {
			f.t.Errorf("of the new bucket: %+v, %v", p, ok)
		}
	})
}

// Where an operator has not created the bucket, that is one warning with advice, and the bucket is used once it exists.
func TestAMissingBucketIsAWarning(t *testing.T) {
	inFixture(t, func(f *fixture) {
		store, _ := f.bridge(false)
		resource := f.put(store, "ep", 10)
		time.Sleep(time.Hour)
		if log := f.log.String(); strings.Count(log, "level=WARN") != 1 || strings.Contains(log, "level=ERROR") || !strings.Contains(log, "do=advice") {
			f.t.Errorf("logged:\n%s", log)
		}
		if progressOf, err := eventlog.New(f.js, names).Progress(f.t.Context()); err != nil || len(progressOf) > 0 {
			f.t.Errorf("read: %v, %v", progressOf, err)
		}
		store.Delete(resource)
		resource = f.put(store, "next", 10)
		if _, err := streams.EnsureProgress(f.t.Context(), f.js, config(true)); err != nil {
			f.t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		f.want("the bucket", f.watch()(), "next 10%")
		progressOf, err := eventlog.New(f.js, names).Progress(f.t.Context())
		if err != nil || progressOf[resource].Percent != 10 {
			f.t.Errorf("read: %v, %v", progressOf, err)
		}
		if log := f.log.String(); !strings.Contains(log, "stored again") {
			f.t.Errorf("logged:\n%s", log)
		}
	})
}
