package poll_test

import (
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// The output asset of a job is polled when the job has finished, also where MK.IO does not modify its record and a lagging list
// still shows the job in motion.
func TestAnOutputAssetIsPolledWhenItsJobHasFinished(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		job, asset := w.key(lifecycle.Job, "t", "ep"), w.key(lifecycle.Asset, "ep-out")
		created := w.mkio.Now().UTC().Format(time.RFC3339Nano)
		lags := false
		w.transport.set(func(tr *transport) {
			tr.editRecord = func(path string, row map[string]any) {
				properties, ok := row["properties"].(map[string]any)
				switch {
				case !ok:
				case strings.Contains(path, "/assets"):
					properties["lastModified"] = created
				case strings.HasSuffix(path, "/media/jobs") && lags:
					properties["state"] = "Processing"
				}
			}
		})
		w.mkio.Create(asset, "Pending")
		w.mkio.Create(job, "Processing")
		b := w.start(lifecycle.Job, lifecycle.Asset)
		time.Sleep(full)
		states := func() int { return w.mkio.Requests(project).ByRoute["GET media/assets/{}/state"] }
		if n := states(); n > 5 {
			t.Errorf("the state was requested %d times in an hour in which the job ran", n)
		}
		w.mkio.Move(job, "Finished")
		w.awaitState(b, 2*active, job, "Finished")
		w.transport.set(func(*transport) { lags = true })
		time.Sleep(2 * time.Minute)
		w.mkio.Move(asset, "Ready")
		w.awaitState(b, 3*time.Minute, asset, "Ready")
	})
}
