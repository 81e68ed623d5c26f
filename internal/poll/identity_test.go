package poll_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// createNamedJobs creates count jobs name-0, name-1, … in a simulated MK.IO.
func (w *world) createNamedJobs(m *mkiofake.MKIO, name string, count int) (keys []lifecycle.Key) {
	for i := range count {
		key := w.key(lifecycle.Job, "t", fmt.Sprintf("%s-%d", name, i))
		m.Create(key, "Finished")
		keys = append(keys, key)
	}
	return keys
}

// otherMKIO returns a second MK.IO with a project of the same name and other resources. The shared ones exist in both.
func (w *world) otherMKIO(shared ...lifecycle.Key) *mkiofake.MKIO {
	m := mkiofake.New(mkiofake.Config{Seed: 99, Projects: []string{project}, Start: time.Now()})
	w.createNamedJobs(m, "other", 5)
	for _, key := range shared {
		m.Create(key, "Finished")
	}
	return m
}

// routeTo sends all requests to an MK.IO. If id is not empty, its project has that id.
func (w *world) routeTo(to http.RoundTripper, id string) {
	w.transport.set(func(tr *transport) {
		tr.next, tr.editRecord = to, nil
		if id != "" {
			tr.editRecord = func(path string, row map[string]any) {
				if path == "/api/v1/projects" || path == "/api/v1/projects/"+project {
					row["metadata"].(map[string]any)["id"] = id
				}
			}
		}
	})
}

// deleted counts the Deleted events.
func (w *world) deleted() (count int) {
	w.t.Helper()
	for _, events := range w.events() {
		for _, e := range events {
			if e.Data.State == lifecycle.StateDeleted {
				count++
			}
		}
	}
	return count
}

// wantDeleted checks the number of Deleted events.
func (w *world) wantDeleted(want int) {
	w.t.Helper()
	if got := w.deleted(); got != want {
		w.t.Errorf("%d resources are Deleted, want %d", got, want)
	}
}

// notes returns the bucket that bridges share.
func (w *world) notes() jetstream.KeyValue {
	w.t.Helper()
	notes, err := w.js.KeyValue(w.t.Context(), names.NotesBucket())
	if err != nil {
		w.t.Fatal(err)
	}
	return notes
}

// identity returns the stored identity of the log's MK.IO.
func (w *world) identity() identity.Note {
	w.t.Helper()
	note, err := identity.NewStore(w.notes()).Read(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return note
}

// gauge returns the value of a gauge; -1: it is not exported.
func (b *bridge) gauge(t *testing.T, name string) float64 {
	t.Helper()
	families, err := b.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				return m.GetGauge().GetValue()
			}
		}
	}
	return -1
}

func (b *bridge) wantGauge(t *testing.T, name string, want float64) {
	t.Helper()
	if got := b.gauge(t, name); got != want {
		t.Errorf("%s is %v, want %v", name, got, want)
	}
}

const (
	refusedGauge = "mkio_bridge_poll_identity_refused"
	unknownGauge = "mkio_bridge_poll_identity_unknown"
)

func TestTheFirstStartRecordsTheProject(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		jobs := w.createNamedJobs(w.mkio, "ours", 3)
		b := w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		if note := w.identity(); note.Address != "https://app.mk.io" || note.Projects[project] == "" {
			t.Errorf("recorded: %+v", note)
		}
		b.wantGauge(t, refusedGauge, 0)
		b.wantGauge(t, unknownGauge, 0)
		w.mkio.Delete(jobs[0])
		time.Sleep(2 * sweep)
		w.wantStates(jobs[0], "Finished", "Deleted")
	})
}

// A project of the same name with another id is not polled, whether it appears before the start or while polling runs.
func TestAnotherProjectOfTheNameDeletesNothing(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		jobs := w.createNamedJobs(w.mkio, "ours", 30)
		b := w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		other := w.otherMKIO(jobs[3], jobs[4])
		w.routeTo(other, "another-id")
		time.Sleep(2 * sweep) // new rows may be recorded before the identity is checked
		recorded := len(w.events())
		time.Sleep(2 * full)
		b.wantGauge(t, refusedGauge, 1)
		w.wantDeleted(0)
		b.stop()

		b = w.start(lifecycle.Job)
		time.Sleep(2 * full)
		b.wantGauge(t, refusedGauge, 1)
		w.wantDeleted(0)
		if now := len(w.events()); now != recorded {
			t.Errorf("%d resources are recorded, want %d", now, recorded)
		}
		if n := strings.Count(w.logs.String(), "project not polled"); n != 2 {
			t.Errorf("logged %d times in two runs, want 2", n)
		}

		w.routeTo(w.mkio, "")
		fresh := w.createNamedJobs(w.mkio, "fresh", 1)
		w.mkio.Delete(jobs[0])
		time.Sleep(3 * sweep)
		b.wantGauge(t, refusedGauge, 0)
		w.wantStates(fresh[0], "Finished")
		w.wantStates(jobs[0], "Finished", "Deleted")
	})
}

func TestAnAdoptedProjectBecomesTheLogsOwn(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		jobs := w.createNamedJobs(w.mkio, "ours", 30)
		b := w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		b.stop()
		w.routeTo(w.otherMKIO(jobs[3]), "another-id")
		w.adopt = true
		b = w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		w.wantDeleted(30) // of which one has another life
		w.wantStates(jobs[3], "Finished", "Deleted", "Finished")
		if id := w.identity().Projects[project]; id != "another-id" {
			t.Errorf("recorded: %s", id)
		}
		w.routeTo(w.mkio, "") // later responses are compared with the adopted project
		time.Sleep(2 * sweep)
		b.wantGauge(t, refusedGauge, 1)
	})
}

// Without a stored identity and without a recorded life, the project may be any. Its own resources are recorded, but do not make
// it the log's own.
func TestDeletionsWaitWhileTheProjectIsUnknown(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		jobs := w.createNamedJobs(w.mkio, "ours", 30)
		b := w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		b.stop()
		if err := w.notes().Purge(w.t.Context(), "identity"); err != nil {
			t.Fatal(err)
		}
		other := w.otherMKIO(jobs[3])
		w.routeTo(other, "another-id")
		for range 2 { // a restart changes nothing
			b = w.start(lifecycle.Job)
			time.Sleep(2 * full)
			b.wantGauge(t, unknownGauge, 1)
			w.wantDeleted(0)
			w.wantStates(w.key(lifecycle.Job, "t", "other-1"), "Finished")
			w.wantStates(jobs[3], "Finished")
			b.stop()
		}
		if n := strings.Count(w.logs.String(), "project identity unknown"); n != 2 {
			t.Errorf("logged %d times in two runs, want 2", n)
		}

		w.routeTo(w.mkio, "") // the other was not the log's own
		b = w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		b.wantGauge(t, unknownGauge, 0)
		w.wantConverged()
	})
}

// Nothing shows whether the other lives and missing resources are the log's own, until the operator adopts the project.
func TestWaitingDeletionsAreRecordedOnceTheProjectIsAdopted(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		jobs := w.createNamedJobs(w.mkio, "ours", 30)
		asset := w.key(lifecycle.Asset, "master")
		w.mkio.Create(asset, "Ready")
		b := w.start(lifecycle.Job, lifecycle.Asset)
		time.Sleep(2 * sweep)
		b.stop()
		if err := w.notes().Purge(w.t.Context(), "identity"); err != nil {
			t.Fatal(err)
		}
		for _, key := range jobs {
			w.mkio.Delete(key)
		}
		w.mkio.Delete(asset)
		time.Sleep(time.Second)
		w.mkio.Create(jobs[0], "Finished")
		b = w.start(lifecycle.Job, lifecycle.Asset)
		time.Sleep(2 * sweep)
		w.wantDeleted(0)
		b.stop()
		w.adopt = true
		w.start(lifecycle.Job, lifecycle.Asset)
		time.Sleep(2 * sweep)
		w.wantStates(asset, "Ready", "Deleted")
		w.wantStates(jobs[0], "Finished", "Deleted", "Finished")
		w.wantConverged()
	})
}

// tokenOf returns an API token of an organisation.
func tokenOf(organisation string) string {
	return secret + "." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"organizationId":%q}`, organisation)) + ".x"
}

// A token that is exchanged for one of another organisation is never sent.
func TestATokenOfAnotherOrganisationIsNotUsed(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.mkio.SetToken("")
		w.transport.set(func(tr *transport) { tr.token = tokenOf("org-1") })
		jobs := w.createNamedJobs(w.mkio, "ours", 30)
		b := w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		if organisation := w.identity().Organisation; organisation != "org-1" {
			t.Errorf("recorded: %q", organisation)
		}
		sent := 0
		other := w.otherMKIO()
		w.transport.set(func(tr *transport) {
			tr.token = tokenOf("org-2")
			tr.next = roundTrip(func(r *http.Request) (*http.Response, error) {
				if !strings.Contains(r.Header.Get("Authorization"), tokenOf("org-2")) {
					return w.mkio.RoundTrip(r) // sent before the token was exchanged
				}
				sent++
				return other.RoundTrip(r)
			})
		})
		time.Sleep(2 * full)
		w.wantDeleted(0)
		b.wantGauge(t, refusedGauge, 1)
		if sent > 0 {
			t.Errorf("the token of another organisation was sent %d times", sent)
		}
		w.mkio.Delete(jobs[0])
		w.transport.set(func(tr *transport) { tr.token, tr.next = tokenOf("ORG-1"), w.mkio })
		time.Sleep(3 * sweep)
		b.wantGauge(t, refusedGauge, 0)
		w.wantStates(jobs[0], "Finished", "Deleted")
		if n := strings.Count(w.logs.String(), "project not polled"); n != 1 {
			t.Errorf("logged %d times, want once", n)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// With a token that may not read the project, its id is not known: address and organisation identify it.
func TestWithoutAProjectIDTheOrganisationIdentifies(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		jobs := w.createNamedJobs(w.mkio, "ours", 30)
		w.transport.set(func(tr *transport) {
			tr.override = func(path string) (int, string) {
				if path == "/api/v1/projects/"+project {
					return 403, "{}"
				}
				return 0, ""
			}
			tr.editRecord = func(path string, row map[string]any) {
				if path == "/api/v1/projects" {
					delete(row["metadata"].(map[string]any), "id")
				}
			}
		})
		b := w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		w.mkio.Delete(jobs[0])
		time.Sleep(2 * sweep)
		w.wantStates(jobs[0], "Finished", "Deleted")
		b.wantGauge(t, unknownGauge, 0)
		if id, ok := w.identity().Projects[project]; !ok || id != "" {
			t.Errorf("recorded: %q, %t", id, ok)
		}
		w.routeTo(w.mkio, "") // now the id can be read
		w.transport.set(func(tr *transport) { tr.override = nil })
		time.Sleep(2 * sweep)
		w.mkio.Delete(jobs[1])
		time.Sleep(2 * sweep)
		w.wantStates(jobs[1], "Finished", "Deleted")
		if w.identity().Projects[project] == "" {
			t.Error("the id is not recorded")
		}
	})
}

// Of two bridges on one NATS, one has adopted another MK.IO. The other must stop polling the former.
func TestABridgeOfTheFormerMKIOStopsPolling(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		jobs := w.createNamedJobs(w.mkio, "ours", 30)
		b := w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		_, _, err := identity.NewStore(w.notes()).Change(w.t.Context(), func(n identity.Note) (identity.Note, error) {
			return n.Begin(identity.Claim{Address: "https://other.mk.io", Adopt: identity.AdoptAll}, identity.Tail{Last: 30})
		})
		if err != nil {
			t.Fatal(err)
		}
		w.mkio.Delete(jobs[0])
		time.Sleep(2 * full)
		w.wantDeleted(0)
		b.wantGauge(t, refusedGauge, 1)
	})
}

// The lists of a project that does not respond are polled, but no deletion is recorded.
func TestAProjectThatDoesNotRespondIsPolled(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		jobs := w.createNamedJobs(w.mkio, "ours", 30)
		w.transport.set(func(tr *transport) {
			tr.override = func(path string) (int, string) {
				if path == "/api/v1/projects/"+project {
					return 500, "{}"
				}
				return 0, ""
			}
		})
		w.start(lifecycle.Job)
		time.Sleep(5 * sweep)
		w.wantStates(jobs[1], "Finished")
		w.mkio.Delete(jobs[0])
		time.Sleep(full)
		w.wantDeleted(0)
		w.transport.set(func(tr *transport) { tr.override = nil })
		time.Sleep(full)
		w.wantStates(jobs[0], "Finished", "Deleted")
	})
}
