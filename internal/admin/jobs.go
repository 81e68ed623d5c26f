package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/jobs"
	"mkio-bridge/internal/problem"
)

// Jobs starts long tasks, one of each kind in all bridges together, and shows those of all bridges.
type Jobs interface {
	// Start returns the running job of the kind, which it starts if there is none. If that one has other parameters, the error is
	// a [*jobs.BusyError].
	Start(ctx context.Context, kind string, parameters map[string]string, task jobs.Task) (jobs.Job, error)
	Job(ctx context.Context, id string) (j jobs.Job, ok bool, err error)
	Jobs(ctx context.Context) ([]jobs.Job, error) // newest first
}

// Kinds of jobs.
const (
	jobVerify = "verify"
	jobDoctor = "doctor"
)

// JobKinds are the kinds of jobs that the API starts.
func JobKinds() []string { return []string{jobVerify, jobDoctor} }

var verifyParameters = []string{"root", "erased"}

// startVerify starts a verification of the log, as mkio-bridge verify does. root is a stored root, up to which nothing must have
// changed; erased are sequences of events that were erased on purpose. It answers 202 with the job, whose result is an
// [audit.Report]; 409 if a verification with other parameters is running.
func (a *API) startVerify(w http.ResponseWriter, r *http.Request) {
	options, parameters, err := parseVerification(r.URL.Query())
	if err != nil {
		problem.Write(w, http.StatusBadRequest, err.Error())
		return
	}
	a.startJob(w, r, jobVerify, parameters, func(ctx context.Context, report func(jobs.Progress)) (any, error) {
		done := uint64(0)
		options.Step = func(pending uint64) {
			if done++; done%256 == 0 || pending == 0 { // reporting costs more than counting
				report(jobs.Progress{Done: done, Total: done + pending, Unit: "events"})
			}
		}
		return a.c.Verify(ctx, options)
	})
}

// parseVerification returns the parameters of a verification also in the form that is the same for the same verification.
func parseVerification(values url.Values) (o audit.Options, parameters map[string]string, err error) {
	parameters = map[string]string{}
	err = readParameters(values, map[string]func(string) error{
		"root": func(text string) error {
			root, err := audit.ParseRoot(text)
			o.Root, parameters["root"] = &root, root.String()
			return err
		},
		"erased": func(text string) error {
			erased, err := audit.ParseSequences(text)
			o.Erased, parameters["erased"] = erased.Has, text
			return err
		},
	})
	return o, parameters, err
}

// A Finding is the result of one check of the doctor.
type Finding struct {
	Check string `json:"check"`
	Grade string `json:"grade"` // ok, warning or FAILED
	Found string `json:"found"`
	Do    string `json:"do,omitempty"` // advice
}

// Grades of findings; the third is a warning.
const (
	gradeOK     = "ok"
	gradeFailed = "FAILED"
)

// A diagnosis is the result of a doctor's job.
type diagnosis struct {
	Checks   uint64    `json:"checks"`
	Failed   int       `json:"failed"`
	Findings []Finding `json:"findings"`
	Omitted  int       `json:"omitted,omitempty"` // findings that are ok, left out because there are too many to store
}

// maxFindings is how many findings that are ok a diagnosis has at most.
const maxFindings = 1000

// startDoctor starts the checks of mkio-bridge doctor, made by the bridge that answers: they cost requests to MK.IO. It answers 202
// with the job, whose result is a diagnosis.
func (a *API) startDoctor(w http.ResponseWriter, r *http.Request) {
	a.startJob(w, r, jobDoctor, nil, func(ctx context.Context, report func(jobs.Progress)) (any, error) {
		found := diagnose(a.c.Doctor(ctx), func(done uint64) { report(jobs.Progress{Done: done, Unit: "checks"}) })
		return found, ctx.Err()
	})
}

// diagnose collects findings, and calls report with their number.
func diagnose(findings iter.Seq[Finding], report func(done uint64)) diagnosis {
	d := diagnosis{Findings: []Finding{}}
	for f := range findings {
		d.Checks++
		report(d.Checks)
		if f.Grade == gradeFailed {
			d.Failed++
		}
		if f.Grade == gradeOK && len(d.Findings) >= maxFindings {
			d.Omitted++
			continue
		}
		d.Findings = append(d.Findings, f)
	}
	return d
}

// startJob starts a job, or joins the running one, and answers 202 with it and its Location.
func (a *API) startJob(w http.ResponseWriter, r *http.Request, kind string, parameters map[string]string, task jobs.Task) {
	j, err := a.c.Jobs.Start(r.Context(), kind, parameters, task)
	busy, isBusy := errors.AsType[*jobs.BusyError](err)
	switch {
	case isBusy:
		w.Header().Set("Location", jobPath(busy.Job))
		problem.Write(w, http.StatusConflict, busy.Error())
	case errors.Is(err, jobs.ErrStopping):
		w.Header().Set("Retry-After", "5")
		problem.Write(w, http.StatusServiceUnavailable, "the bridge is stopping: retry later")
	case err != nil:
		a.c.Log.Warn("job cannot be started", "kind", kind, "error", err)
		w.Header().Set("Retry-After", "5")
		problem.Write(w, http.StatusServiceUnavailable, "the job cannot be stored, so it was not started: retry later")
	default:
		w.Header().Set("Location", jobPath(j))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		_ = newEncoder(w).Encode(j) // an error means that the client is gone
	}
}

func jobPath(j jobs.Job) string { return "/v1/jobs/" + url.PathEscape(j.ID) }

// getJob answers with a job of any bridge: a [jobs.Job]. 404: there is none with this id, or it was long ago.
func (a *API) getJob(w http.ResponseWriter, r *http.Request) {
	j, ok, err := a.c.Jobs.Job(r.Context(), r.PathValue("id"))
	switch {
	case err != nil:
		a.refuseRead(w, "the job", err)
	case !ok:
		problem.Write(w, http.StatusNotFound, fmt.Sprintf("there is no job %.64q: GET /v1/jobs lists the latest ones of each kind", r.PathValue("id")))
	default:
		writeJSON(w, j)
	}
}

// listJobs answers with the latest jobs of all bridges, newest first and without their results: {"items": [jobs.Job]}. They are
// few, so there is no paging.
func (a *API) listJobs(w http.ResponseWriter, r *http.Request) {
	all, err := a.c.Jobs.Jobs(r.Context())
	if err != nil {
		a.refuseRead(w, "the jobs", err)
		return
	}
	response := list[jobs.Job]{Items: []jobs.Job{}}
	for _, j := range all {
		j.Result = json.RawMessage(nil)
		response.Items = append(response.Items, j)
	}
	writeJSON(w, response)
}
