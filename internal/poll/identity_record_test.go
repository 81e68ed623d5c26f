package poll_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// wantNoted checks that the identity is known and stored.
func (w *world) wantNoted(b *bridge) {
	w.t.Helper()
	b.wantGauge(w.t, unknownGauge, 0)
	if w.identity().Projects[project] == "" {
		w.t.Error("the project is not recorded")
	}
}

func TestALostNoteIsRestoredByARecordedLife(t *testing.T) {
	for name, lose := range map[string]func(ctx context.Context, kv jetstream.KeyValue) error{
		"lost": func(ctx context.Context, kv jetstream.KeyValue) error { return kv.Purge(ctx, "identity") },
		"corrupt": func(ctx context.Context, kv jetstream.KeyValue) error {
			_, err := kv.PutString(ctx, "identity", "{")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, mkiofake.Config{}, func(w *world) {
				jobs := w.createNamedJobs(w.mkio, "ours", 30)
				b := w.start(lifecycle.Job)
				time.Sleep(2 * sweep)
				b.stop()
				w.mkio.Delete(jobs[0])
				if err := lose(w.t.Context(), w.notes()); err != nil {
					t.Fatal(err)
				}
				b = w.start(lifecycle.Job)
				time.Sleep(2 * sweep)
				w.wantStates(jobs[0], "Finished", "Deleted")
				w.wantDeleted(1)
				w.wantNoted(b)
			})
		})
	}
}

// A project that responded before the log had events of it is the log's own, even if that could not be stored at once.
func TestAProjectIsConfirmedThoughItsNoteFailedAtFirst(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		const name = "KV_mkio_bridge"
		stream, err := w.js.Stream(w.t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		limit := func(bytes int64) {
			t.Helper()
			c := stream.CachedInfo().Config
			c.MaxBytes = bytes
			if _, err := w.js.UpdateStream(w.t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		limit(1)
		b := w.start(lifecycle.Job)
		time.Sleep(sweep / 2)
		gone := w.key(lifecycle.Job, "t", "gone")
		w.forge(b, gone, "Finished", w.mkio.Now(), time.Time{})
		time.Sleep(2 * sweep)
		limit(-1)
		time.Sleep(2 * full)
		w.wantStates(gone, "Finished", "Deleted")
		w.wantNoted(b)
	})
}

// A note that is lost while a bridge runs is written again, even if MK.IO does not show a recorded life any more.
func TestANoteLostAtRunTimeIsWrittenAgain(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		jobs := w.createNamedJobs(w.mkio, "ours", 3)
		b := w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		if err := w.notes().Purge(w.t.Context(), "identity"); err != nil {
			t.Fatal(err)
		}
		for _, job := range jobs {
			w.mkio.Delete(job)
		}
		time.Sleep(2 * full)
		w.wantDeleted(3)
		w.wantNoted(b)
	})
}
