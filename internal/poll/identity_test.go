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

// jobsOf makes so many jobs of a name in a simulated MK.IO.
func (w *world) createNamedJobs(m *mkiofake.MKIO, name string, count int) (keys []lifecycle.Key) {
	for i := range count {
		key := w.key(lifecycle.Job, "t", fmt.Sprintf("%s-%d", name, i))
		m.Create(key, "Finished")
		keys = append(keys, key)
	}
	return keys
}

// another is a second MK.IO with a project of the same name, another id and other resources; shared is a name that both have.
func (w *world) otherMKIO(shared ...lifecycle.Key) *mkiofake.MKIO {
	m := mkiofake.New(mkiofake.Config{Seed: 99, Projects: []string{project}, Start: time.Now()})
	w.createNamedJobs(m, "other", 5)
	for _, key := range shared {
		m.Create(key, "Finished")
	}
	return m
}

// lead has all requests answered by an MK.IO whose project has an id; "": its own.
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

// deleted counts the resources that the log has as Deleted.
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

// wantDeleted checks how many resources the log has as Deleted.
func (w *world) wantDeleted(want int) {
	w.t.Helper()
	if got := w.deleted(); got != want {
		w.t.Errorf("%d resources are Deleted, want %d", got, want)
	}
}

// notes is the bridge's bucket.
func (w *world) notes() jetstream.KeyValue {
	w.t.Helper()
	notes, err := w.js.KeyValue(w.t.Context(), names.NotesBucket())
	if err != nil {
		w.t.Fatal(err)
	}
	return notes
}

// identity is what the bucket has of the log's MK.IO.
func (w *world) identity() identity.Note {
	w.t.Helper()
	note, err := identity.NewStore(w.notes()).Read(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return note
}

// gauge reads a gauge of the project.
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

// A project of the same name with another id is not polled: not at a start, and not when it is made anew while polling goes on.
func TestAnotherProjectOfTheNameDeletesNothing(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		jobs := w.createNamedJobs(w.mkio, "ours", 30)
		b := w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		other := w.otherMKIO(jobs[3], jobs[4])
		w.routeTo(other, "another-id")
		time.Sleep(2 * sweep) // what is new in the list may be seen before the project is compared
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
			t.Errorf("%d resources are recorded, %d were", now, recorded)
		}
		if n := strings.Count(w.logs.String(), "the project is not polled"); n != 2 {
			t.Errorf("that was said %d times in two runs", n)
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

func TestAnAdoptedProjectIsTheLogsFromThenOn(t *testing.T) {
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
		w.routeTo(w.mkio, "") // what answers later is compared with what was adopted
		time.Sleep(2 * sweep)
		b.wantGauge(t, refusedGauge, 1)
	})
}

// With no note and nothing that is recorded, what answers may be anything. What it has itself is recorded, and does not make
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
		for range 2 { // a restart tells nothing new
			b = w.start(lifecycle.Job)
			time.Sleep(2 * full)
			b.wantGauge(t, unknownGauge, 1)
			w.wantDeleted(0)
			w.wantStates(w.key(lifecycle.Job, "t", "other-1"), "Finished")
			w.wantStates(jobs[3], "Finished")
			b.stop()
		}
		if n := strings.Count(w.logs.String(), "the identity of the project is unknown"); n != 2 {
			t.Errorf("that was said %d times in two runs", n)
		}

		w.routeTo(w.mkio, "") // and it was another MK.IO indeed
		b = w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		b.wantGauge(t, unknownGauge, 0)
		w.wantConverged()
	})
}

// Other lives and missing resources are found, and nothing that tells whether they are the log's.
func TestWhatWaitedIsRecordedWhenTheProjectIsAdopted(t *testing.T) {
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
		w.adopt = true // nothing else can tell
		w.start(lifecycle.Job, lifecycle.Asset)
		time.Sleep(2 * sweep)
		w.wantStates(asset, "Ready", "Deleted")
		w.wantStates(jobs[0], "Finished", "Deleted", "Finished")
		w.wantConverged()
	})
}

// tokenOf is an API token of an organisation.
func tokenOf(organisation string) string {
	return secret + "." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"organizationId":%q}`, organisation)) + ".x"
}

// A token that is exchanged for one of another organisation is not used for one request.
func TestATokenOfAnotherOrganisationIsNotUsed(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.mkio.SetToken("")
		w.transport.set(func(way *transport) { way.token = tokenOf("org-1") })
		jobs := w.createNamedJobs(w.mkio, "ours", 30)
		b := w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		if organisation := w.identity().Organisation; organisation != "org-1" {
			t.Errorf("recorded: %q", organisation)
		}
		asked := 0
		other := w.otherMKIO()
		w.transport.set(func(way *transport) {
			way.token = tokenOf("org-2")
			way.next = roundTrip(func(r *http.Request) (*http.Response, error) {
				if !strings.Contains(r.Header.Get("Authorization"), tokenOf("org-2")) {
					return w.mkio.RoundTrip(r) // under way when the token was exchanged
				}
				asked++
				return other.RoundTrip(r)
			})
		})
		time.Sleep(2 * full)
		w.wantDeleted(0)
		b.wantGauge(t, refusedGauge, 1)
		if asked > 0 {
			t.Errorf("the token of another organisation was sent %d times", asked)
		}
		w.mkio.Delete(jobs[0])
		w.transport.set(func(way *transport) { way.token, way.next = tokenOf("ORG-1"), w.mkio })
		time.Sleep(3 * sweep)
		b.wantGauge(t, refusedGauge, 0)
		w.wantStates(jobs[0], "Finished", "Deleted")
		if n := strings.Count(w.logs.String(), "the project is not polled"); n != 1 {
			t.Errorf("that was said %d times", n)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A token that may not see the project tells no id: address and organisation have to do.
func TestWhereTheProjectIsOutOfSightTheOrganisationTells(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		jobs := w.createNamedJobs(w.mkio, "ours", 30)
		w.transport.set(func(way *transport) {
			way.override = func(path string) (int, string) {
				if path == "/api/v1/projects/"+project {
					return 403, "{}"
				}
				return 0, ""
			}
			way.editRecord = func(path string, row map[string]any) {
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
		w.routeTo(w.mkio, "") // now it tells one
		w.transport.set(func(way *transport) { way.override = nil })
		time.Sleep(2 * sweep)
		w.mkio.Delete(jobs[1])
		time.Sleep(2 * sweep)
		w.wantStates(jobs[1], "Finished", "Deleted")
		if w.identity().Projects[project] == "" {
			t.Error("the id is not recorded")
		}
	})
}

// Two bridges on one NATS: one has adopted another MK.IO, and the other ends polling the former.
func TestABridgeOfTheFormerMKIOEndsPolling(t *testing.T) {
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

// A project that does not answer holds up no list of it; only nothing of it is Deleted.
func TestAProjectThatDoesNotAnswerIsPolled(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		jobs := w.createNamedJobs(w.mkio, "ours", 30)
		w.transport.set(func(way *transport) {
			way.override = func(path string) (int, string) {
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
		w.transport.set(func(way *transport) { way.override = nil })
		time.Sleep(full)
		w.wantStates(jobs[0], "Finished", "Deleted")
	})
}
