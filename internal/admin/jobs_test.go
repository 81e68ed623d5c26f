package admin

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/jobs"
)

// withJobs adds a bridge's jobs to a fixture. doctor yields the findings.
func (f *fixture) withJobs(doctor func(context.Context) iter.Seq[Finding]) *fixture {
	f.t.Helper()
	bucket, err := f.js.KeyValue(f.t.Context(), names.NotesBucket())
	if err != nil {
		f.t.Fatal(err)
	}
	runner := jobs.New(jobs.Config{Bucket: bucket, Bridge: "a", Kinds: JobKinds(), Log: f.Log, Heartbeat: 5 * time.Millisecond})
	f.t.Cleanup(runner.Stop)
	f.Jobs, f.Doctor = runner, doctor
	f.Verify = func(ctx context.Context, o audit.Options) (*audit.Report, error) {
		return audit.Verify(ctx, f.js, names, o)
	}
	return f
}

// jobOf waits for the end of the job that a response names.
func jobOf(t *testing.T, routes http.Handler, location string) (j jobs.Job) {
	t.Helper()
	bridgetest.Eventually(t, location+" has ended", func() bool {
		j = getJSON[jobs.Job](t, routes, location, http.StatusOK)
		return j.State != jobs.Running
	})
	return j
}

func TestVerifyJob(t *testing.T) {
	f := fixtureWithEvents(t).withJobs(nil)
	routes := f.routes()
	verify := func(query string) jobs.Job {
		t.Helper()
		response := serveRequest(routes, http.MethodPost, "/v1/verify"+query, nil)
		if response.Code != http.StatusAccepted {
			t.Fatalf("status %d: %s", response.Code, response.Body)
		}
		return jobOf(t, routes, response.Header().Get("Location"))
	}
	j := verify("")
	report, err := f.Verify(t.Context(), audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want, err := report.MarshalJSON(); err != nil || string(j.Result) != string(want) || j.State != jobs.Done || j.Progress == nil || *j.Progress != (jobs.Progress{Done: 4, Total: 4, Unit: "events"}) {
		t.Errorf("job %+v with %s, want %s, %v", j, j.Result, want, err)
	}
	if j := verify("?root=" + report.Root.String() + "&erased=7-9"); !strings.Contains(string(j.Result), `"wrong":0`) || j.Parameters["root"] != report.Root.String() || j.Parameters["erased"] != "7-9" {
		t.Errorf("with its own root: %+v: %s", j, j.Result)
	}
	if j := verify("?root=4:" + strings.Repeat("0", 64)); !strings.Contains(string(j.Result), "has changed since root") {
		t.Errorf("with another root: %s", j.Result)
	}
	all := serveRequest(routes, http.MethodGet, "/v1/jobs", nil).Body.String()
	if strings.Count(all, `"id":"verify-`) != 3 || strings.Contains(all, "result") {
		t.Errorf("jobs %s", all)
	}
	for query, want := range map[string]string{"root=x": "not a root", "erased=x": "neither a sequence nor a range", "root=" + strings.Repeat("x", 1<<20): "root"} {
		if response := serveRequest(routes, http.MethodPost, "/v1/verify?"+query, nil); response.Code != http.StatusBadRequest || !strings.Contains(response.Body.String(), want) || response.Body.Len() > 1000 {
			t.Errorf("%.60s: status %d: %.300s", query, response.Code, response.Body)
		}
	}
}

func TestDoctorJob(t *testing.T) {
	release := make(chan struct{})
	findings := []Finding{{"NATS", "ok", "fine", ""}, {"MK.IO", "FAILED", "down", "wait"}, {"rule", "warning", "odd", ""}}
	f := setUp(t).withJobs(func(context.Context) iter.Seq[Finding] {
		return func(yield func(Finding) bool) {
			for _, finding := range findings {
				if !yield(finding) {
					return
				}
			}
			<-release
		}
	})
	routes := f.routes()
	first := serveRequest(routes, http.MethodPost, "/v1/doctor", nil)
	location := first.Header().Get("Location")
	bridgetest.Eventually(t, "the checks are counted", func() bool {
		j := getJSON[jobs.Job](t, routes, location, http.StatusOK)
		return j.Progress != nil && *j.Progress == jobs.Progress{Done: 3, Unit: "checks"} && j.State == jobs.Running && j.Result == nil
	})
	if again := serveRequest(routes, http.MethodPost, "/v1/doctor", nil); again.Code != http.StatusAccepted || again.Header().Get("Location") != location {
		t.Errorf("a second request: status %d, %s instead of %s", again.Code, again.Header().Get("Location"), location)
	}
	close(release)
	want := `{"checks":3,"failed":1,"findings":[{"check":"NATS","grade":"ok","found":"fine"},{"check":"MK.IO","grade":"FAILED","found":"down","do":"wait"},{"check":"rule","grade":"warning","found":"odd"}]}`
	if j := jobOf(t, routes, location); string(j.Result) != want {
		t.Errorf("result %s, want %s", j.Result, want)
	}
}

func TestManyFindingsFitIntoAJob(t *testing.T) {
	many := make([]Finding, maxFindings+5)
	for i := range many {
		many[i].Grade = gradeOK
	}
	many = append(many, Finding{Check: "the last", Grade: gradeFailed})
	d := diagnose(slices.Values(many), func(uint64) {})
	if d.Checks != uint64(len(many)) || d.Omitted != 5 || d.Failed != 1 || d.Findings[len(d.Findings)-1].Check != "the last" {
		t.Errorf("%d checks, %d omitted, %d failed", d.Checks, d.Omitted, d.Failed)
	}
}

// noJobs starts nothing.
type noJobs struct{ err error }

func (n noJobs) Start(context.Context, string, map[string]string, jobs.Task) (jobs.Job, error) {
	return jobs.Job{}, n.err
}

func (noJobs) Job(context.Context, string) (jobs.Job, bool, error) { return jobs.Job{}, false, nil }

func (noJobs) Jobs(context.Context) ([]jobs.Job, error) { return nil, nil }

func TestJobsThatCannotStart(t *testing.T) {
	running := jobs.Job{ID: "verify-7-0123abcd", Kind: "verify", Bridge: "b"}
	for err, want := range map[error]int{jobs.ErrStopping: 503, errors.New("no response"): 503, &jobs.BusyError{Job: running}: 409} {
		c := configWithoutLog()
		c.Jobs = noJobs{err}
		response := serveRequest(routesOf(c), http.MethodPost, "/v1/verify", nil)
		if response.Code != want || (want == 503) != (response.Header().Get("Retry-After") == "5") || (want == 409) != (response.Header().Get("Location") == "/v1/jobs/verify-7-0123abcd") {
			t.Errorf("%v: status %d, %v: %s", err, response.Code, response.Header(), response.Body)
		}
	}
}
