package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"time"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/jobs"
	"mkio-bridge/internal/problem"
)

var evidenceParameters = []string{"kind", "project", "since", "until", "job"}

// getEvidence answers with a file for auditors: an [audit.Evidence], as mkio-bridge audit --evidence writes it. Filters and period are
// those of GET /v1/audit; job is the verification whose result is used, by default the newest one of this log that has a result. 404:
// there is no such verification. 409: it has no result, or one of another log.
func (a *API) getEvidence(w http.ResponseWriter, r *http.Request) {
	request, job, err := a.parseEvidenceRequest(r.URL.Query())
	if err != nil {
		problem.Write(w, http.StatusBadRequest, err.Error())
		return
	}
	bounds, err := a.c.Events.Bounds(r.Context())
	if err != nil {
		a.refuseRead(w, "the log", err)
		return
	}
	request.Verification, err = a.verification(r.Context(), job, bounds.Identity)
	if unusable, ok := errors.AsType[*verificationError](err); ok {
		problem.Write(w, unusable.status, unusable.Error())
		return
	}
	if err != nil {
		a.refuseRead(w, "the jobs", err)
		return
	}
	evidence, err := audit.Collect(r.Context(), a.c.Events, request)
	if err != nil {
		a.refuseRead(w, "the coverage", err)
		return
	}
	file, err := evidence.Encode()
	if err != nil {
		a.c.Log.Error("evidence cannot be encoded", "error", err)
		problem.Write(w, http.StatusInternalServerError, "the evidence cannot be encoded: see the log of the bridge")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", "attachment; filename="+evidence.FileName())
	_, _ = w.Write(file) //nolint:gosec // JSON; an error means that the client is gone
}

// parseEvidenceRequest parses the parameters.
func (a *API) parseEvidenceRequest(values url.Values) (r audit.Request, job string, err error) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	r = audit.Request{
		Query:      audit.Query{Project: values.Get("project"), Now: now, Samples: a.samples},
		Made:       audit.Made{At: now, Instance: a.c.Instance, Version: a.c.Version},
		Unverified: "no verification of this log with a result is on record: POST /v1/verify starts one",
	}
	read := map[string]func(string) error{"job": func(text string) error { job = text; return nil }}
	maps.Copy(read, periodReaders(&r.Query))
	if err := readParameters(values, read); err != nil {
		return r, "", err
	}
	err = r.Period()
	return r, job, err
}

// A verificationError says why the result of a verification cannot be used, with the status of the response.
type verificationError struct {
	status int
	reason string
}

func (e *verificationError) Error() string { return e.reason }

// verification returns the result of a verification job of the log with an identity. Without an id it is that of the newest one with
// a result, and nil if there is none.
func (a *API) verification(ctx context.Context, id, log string) (*audit.Verification, error) {
	if id == "" {
		return a.newestVerification(ctx, log)
	}
	j, ok, err := a.c.Jobs.Job(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case !ok || j.Kind != jobVerify:
		return nil, &verificationError{http.StatusNotFound, fmt.Sprintf("job: there is no verification %.64q: GET /v1/jobs lists the latest ones", id)}
	case j.State == jobs.Running:
		return nil, &verificationError{http.StatusConflict, "job: the verification " + j.ID + " is running: retry when it has ended"}
	case j.State == jobs.Failed:
		return nil, &verificationError{http.StatusConflict, "job: the verification " + j.ID + " ended without a result: " + j.Error}
	}
	v, err := verificationOf(j)
	if err != nil || v.Log != log {
		return nil, &verificationError{http.StatusConflict, "job: the verification " + j.ID + " is not of the log that exists now: start another one"}
	}
	return v, nil
}

// newestVerification returns the result of the newest verification of a log that has one; nil if there is none.
func (a *API) newestVerification(ctx context.Context, log string) (*audit.Verification, error) {
	all, err := a.c.Jobs.Jobs(ctx)
	if err != nil {
		return nil, err
	}
	for _, j := range all {
		if j.Kind != jobVerify || j.State != jobs.Done {
			continue
		}
		if v, err := verificationOf(j); err == nil && v.Log == log {
			return v, nil
		}
	}
	return nil, nil //nolint:nilnil // there is none
}

// verificationOf returns the result of a job that is done.
func verificationOf(j jobs.Job) (*audit.Verification, error) {
	v := &audit.Verification{}
	if err := json.Unmarshal(j.Result, v); err != nil {
		return nil, err
	}
	v.Job, v.Instance, v.Started, v.StoredRoot, v.Erased = j.ID, j.Bridge, j.Started.Time, j.Parameters["root"], j.Parameters["erased"]
	if j.Ended != nil {
		v.Ended = j.Ended.Time
	}
	return v, nil
}
