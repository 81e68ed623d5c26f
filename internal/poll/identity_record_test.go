package poll_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// wantNoted checks that the project is known, and that the bucket says so.
func (w *world) wantNoted(b *bridge) {
	w.t.Helper()
	b.wantGauge(w.t, unknownGauge, 0)
	if w.identity().Projects[project] == "" {
		w.t.Error("the project is not recorded")
	}
}

func TestALostNoteCostsNothingWhereMKIOShowsWhatIsRecorded(t *testing.T) {
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

// A project that answered before anything of it was recorded is the log's, also when that could not be noted at once.
func TestAProjectThatCouldNotBeNotedAtOnceIsTheLogs(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		const name = "KV_mkio_bridge"
		stream, err := w.js.Stream(w.t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		room := func(bytes int64) {
			t.Helper()
			c := stream.CachedInfo().Config
			c.MaxBytes = bytes
			if _, err := w.js.UpdateStream(w.t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		room(1)
		b := w.start(lifecycle.Job)
		time.Sleep(sweep / 2)
		gone := w.key(lifecycle.Job, "t", "gone")
		w.forge(b, gone, "Finished", w.mkio.Now(), time.Time{})
		time.Sleep(2 * sweep)
		room(-1)
		time.Sleep(2 * full)
		w.wantStates(gone, "Finished", "Deleted")
		w.wantNoted(b)
	})
}

// A note that is lost while a bridge runs is written again, also when nothing that is recorded is shown any more.
func TestANoteThatIsLostMeanwhileIsWrittenAgain(t *testing.T) {
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
