package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/jobs"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/schematest"
)

// evidence gets an evidence file, which must follow its schema.
func (f *fixture) evidence(routes http.Handler, query string) *audit.Evidence {
	f.t.Helper()
	response := serveRequest(routes, http.MethodGet, "/v1/evidence"+query, nil)
	if response.Code != http.StatusOK || !strings.HasPrefix(response.Header().Get("Content-Disposition"), "attachment; filename=mkio-bridge-evidence_") {
		f.t.Fatalf("status %d, %v: %s", response.Code, response.Header(), response.Body)
	}
	schematest.Evidence(f.t, response.Body.Bytes())
	e, changed, err := audit.ParseEvidence(response.Body.Bytes())
	if err != nil || changed != "" {
		f.t.Fatalf("%s%v: %s", changed, err, response.Body)
	}
	return e
}

func TestEvidence(t *testing.T) {
	f := fixtureWithEvents(t).withJobs(nil)
	f.Instance, f.Version = "bridge-0", "v1.2.3"
	f.storeCoverage("aurora-vod", lifecycle.Job, 10*time.Minute)
	routes := f.routes()
	if e := f.evidence(routes, ""); e.Verification != nil || !strings.Contains(e.Unverified, "POST /v1/verify") || len(e.Check) != 2 {
		t.Errorf("without a verification: %+v", e)
	}
	verify := func(query string) jobs.Job {
		t.Helper()
		return jobOf(t, routes, serveRequest(routes, http.MethodPost, "/v1/verify"+query, nil).Header().Get("Location"))
	}
	first, second := verify(""), verify("?erased=7-9")
	e := f.evidence(routes, "?project=aurora-vod&since=1h")
	if v := e.Verification; v == nil || v.Job != second.ID || v.Erased != "7-9" || v.Instance != "a" || v.Wrong != 0 || v.Last != 4 || !v.CoversPeriod || !v.Ended.Equal(second.Ended.Time) {
		t.Errorf("verification %+v", v)
	}
	if e.Made.Instance != "bridge-0" || e.Made.Version != "v1.2.3" || !e.Complete || len(e.Coverage) != 2 || e.Log.Last != 4 || e.Unverified != "" {
		t.Errorf("%+v", e)
	}
	if e := f.evidence(routes, "?job="+first.ID); e.Verification.Job != first.ID {
		t.Errorf("verification %+v", e.Verification)
	}
	for query, want := range map[string]int{
		"job=verify-9-0123abcd": 404, "job=x": 404, "since=1h&until=2h": 400, "since=x": 400, "kind=x": 400, "limit=1": 400,
	} {
		if response := serveRequest(routes, http.MethodGet, "/v1/evidence?"+query, nil); response.Code != want {
			t.Errorf("%s: status %d: %s", query, response.Code, response.Body)
		}
	}
}

// fixedJobs has some jobs.
type fixedJobs struct {
	noJobs
	all []jobs.Job
}

func (j fixedJobs) Job(_ context.Context, id string) (jobs.Job, bool, error) {
	for _, one := range j.all {
		if one.ID == id {
			return one, true, nil
		}
	}
	return jobs.Job{}, false, nil
}

func (j fixedJobs) Jobs(context.Context) ([]jobs.Job, error) { return j.all, nil }

// Only the result of a verification of this log is in a file.
func TestEvidenceNeedsAResultOfThisLog(t *testing.T) {
	f := fixtureWithEvents(t)
	report, err := audit.Verify(t.Context(), f.js, names, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ofThis, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	report.Log = "2031-01-01T00:00:00Z"
	ofAnother, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	ended := &jobs.Time{Time: time.Now()}
	f.Jobs = fixedJobs{all: []jobs.Job{
		{ID: "verify-5-00000000", Kind: jobVerify, State: jobs.Running},
		{ID: "doctor-4-00000000", Kind: jobDoctor, State: jobs.Done, Result: json.RawMessage(`{}`), Ended: ended},
		{ID: "verify-4-00000000", Kind: jobVerify, State: jobs.Failed, Error: "no disk", Ended: ended},
		{ID: "verify-3-00000000", Kind: jobVerify, State: jobs.Done, Result: ofAnother, Ended: ended},
		{ID: "verify-2-00000000", Kind: jobVerify, State: jobs.Done, Result: ofThis, Ended: ended},
		{ID: "verify-1-00000000", Kind: jobVerify, State: jobs.Done, Result: ofThis, Ended: ended},
	}}
	routes := f.routes()
	if e := f.evidence(routes, ""); e.Verification == nil || e.Verification.Job != "verify-2-00000000" {
		t.Errorf("verification %+v", e.Verification)
	}
	for id, want := range map[string]struct {
		status int
		text   string
	}{
		"verify-5-00000000": {409, "is running"}, "doctor-4-00000000": {404, "there is no verification"}, "verify-4-00000000": {409, "no disk"},
		"verify-3-00000000": {409, "not of the log that exists now"}, "verify-1-00000000": {200, `"job": "verify-1-00000000"`},
	} {
		if response := serveRequest(routes, http.MethodGet, "/v1/evidence?job="+id, nil); response.Code != want.status || !strings.Contains(response.Body.String(), want.text) {
			t.Errorf("%s: status %d: %s", id, response.Code, response.Body)
		}
	}
}
