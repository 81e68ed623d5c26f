//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
	"mkio-bridge/internal/schematest"
)

// A reader of the embedded server watches how far a job is, as any key-value bucket, until it ends; state and rows show it.
func TestReaderWatchesAJob(t *testing.T) {
	fake := mkiofake.New(mkiofake.Config{Token: token, Projects: []string{mkiofake.VOD}, ReadLimit: -1, Speed: 20})
	job, err := lifecycle.NewKey(lifecycle.Job, mkiofake.VOD, "ladder-hd", "ep-0417")
	if err != nil {
		t.Fatal(err)
	}
	fake.Create(job, "Processing")
	api := httptest.NewServer(fake)
	t.Cleanup(api.Close)
	p := bridgetest.StartBridge(t, "BRIDGE_MKIO_URL="+api.URL, "BRIDGE_MKIO_TOKEN="+token, "BRIDGE_KINDS=job", "BRIDGE_POLL_ACTIVE=1s", "BRIDGE_POLL_RATE=100000")
	reader, err := nats.Connect("nats://" + p.NATS)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	js, err := jetstream.New(reader)
	if err != nil {
		t.Fatal(err)
	}
	var bucket jetstream.KeyValue
	bridgetest.Eventually(t, "the bucket exists", func() bool { bucket, err = js.KeyValue(t.Context(), "mkio_progress"); return err == nil })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	watcher, err := bucket.Watch(ctx, "job.aurora-vod.>")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = watcher.Stop() }()
	next := func() jetstream.KeyValueEntry {
		for {
			select {
			case entry := <-watcher.Updates():
				if entry != nil { // nil: the end of what the bucket had
					return entry
				}
			case <-ctx.Done():
				t.Fatalf("the watcher sees nothing:\n%s", p.Log.String())
			}
		}
	}
	if p := progressOf(t, next()); p.Key != job || p.Percent >= 100 {
		t.Errorf("%+v", p)
	}
	if out, errs, code := bridgetest.Run(t, p.Env(), "state", "--kind", "job"); code != exitOK || !strings.Contains(out, "% ") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if body := p.MustGet("/v1/resources?view=row"); !strings.Contains(body, `"progressPercent":`) {
		t.Error(body)
	}
	fake.Move(job, "Finished")
	for entry := next(); entry.Operation() != jetstream.KeyValueDelete; entry = next() {
		progressOf(t, entry)
	}
}

func progressOf(t *testing.T, entry jetstream.KeyValueEntry) event.Progress {
	t.Helper()
	schematest.Progress(t, entry.Value())
	p, _, err := event.ParseProgress(nil, entry.Value())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// With permissions from before the bucket of the progress of jobs existed, the bridge does all else, and the doctor warns.
func TestPermissionsWithoutProgressAreAWarning(t *testing.T) {
	g := startWithAccounts(t, "mkio_progress", "mkio_other")
	env := g.env("mkio-bridge", "bridge", startMKIO(t)...)
	p := bridgetest.StartBridge(t, env...)
	checkStatus(t, p, http.StatusNoContent, "job-started.json")
	if status, why := p.Readiness(); status != http.StatusOK {
		t.Errorf("/readyz: %d: %s", status, why)
	}
	out, errs, _ := bridgetest.Run(t, env, "doctor")
	if strings.Contains(out, "FAILED   stream") || !strings.Contains(out, "warning  stream KV_mkio_progress: ") || !strings.Contains(out, "ok       publishing") || !strings.Contains(out, "BRIDGE_PROGRESS=false") {
		t.Errorf("doctor: %s%s", out, errs)
	}
	if out, errs, code := bridgetest.Run(t, env, "state"); code != exitOK {
		t.Errorf("state: exit %d: %s%s", code, out, errs)
	}
}
