package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/schematest"
)

// bridgeForEvidence opens a bridge with an event of a kind that is not polled in its project, and with sweeps of jobs an hour apart, of which one is missing.
func bridgeForEvidence(t *testing.T) *bridge {
	t.Helper()
	b := bridgeForAudit(t)
	now := time.Now().UTC()
	storeCoverage(t, b, coverageOf(now, 5*time.Hour), coverageOf(now, 4*time.Hour), coverageOf(now, 90*time.Minute), coverageOf(now, 30*time.Minute))
	if err := b.publisher.Load(t.Context()); err != nil { // waits for the state bucket
		t.Fatal(err)
	}
	return b
}

// evidenceOf decodes an evidence file, which must follow its schema.
func evidenceOf(t *testing.T, file []byte) *audit.Evidence {
	t.Helper()
	schematest.Evidence(t, file)
	e, changed, err := audit.ParseEvidence(file)
	if err != nil || changed != "" {
		t.Fatalf("%s%v: %s", changed, err, file)
	}
	return e
}

func TestEvidence(t *testing.T) {
	b := bridgeForEvidence(t)
	file := filepath.Join(t.TempDir(), "evidence.json")
	wantOutput(t, exitFailed, []string{file + " written", "root 1:", "gaps that are not proven complete"}, "audit", "--since", "1d", "--evidence", file)
	e := evidenceOf(t, readFile(t, file))
	if e.Complete || len(e.Coverage) != 2 || e.Coverage[0].Polled || e.Coverage[1].Project != "vod" || len(e.Coverage[1].Gaps) != 1 || e.Coverage[1].FirstSweep == nil {
		t.Errorf("coverage %+v", e.Coverage)
	}
	if v := e.Verification; v == nil || v.Wrong != 0 || v.Events != 1 || !v.CoversPeriod || v.Instance == "" || v.Started.After(v.Ended) {
		t.Errorf("verification %+v", v)
	}
	wantOutput(t, exitOK, []string{"as the file of", "every chain is whole", "nothing up to event 1"}, "verify", "--evidence", file)

	// As time goes on, what was pending is proven, there are more events, and the file is still right.
	if status := deliver(t, b, bridgetest.Delivery(t, "job-finished.finished.json")); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
	storeCoverage(t, b, coverageOf(time.Now().UTC(), 0))
	wantOutput(t, exitOK, []string{"as the file of", "root 2:"}, "verify", "--evidence", file)
	out, errs, code := runCommand(t, "verify", "--evidence", file, "--output", "json")
	var check struct {
		Digest       string
		Differences  []audit.Difference
		Verification struct{ Events int }
	}
	if err := json.Unmarshal([]byte(out), &check); err != nil || code != exitOK || check.Digest != e.Digest || check.Differences == nil || check.Verification.Events != 2 {
		t.Errorf("exit %d, %v: %s%s", code, err, out, errs)
	}

	out, errs, code = runCommand(t, "audit", "--since", "20m", "--project", "vod", "--evidence", "-", "--erased", "7,8-9")
	if e := evidenceOf(t, []byte(out)); code != exitOK || !e.Complete || e.Verification.Erased != "7,8-9" || e.Filters.Project != "vod" || !strings.Contains(e.Check[0], " --erased 7,8-9") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	wantOutput(t, exitFailed, []string{"no record of any sweep: check that a bridge", `"coverage": []`}, "audit", "--project", "nobody", "--evidence", "-")
	wantOutput(t, exitUsage, []string{"exclude each other"}, "audit", "--evidence", file, "--output", "json")
	wantOutput(t, exitUsage, []string{"--erased needs --evidence"}, "audit", "--erased", "7")
	wantOutput(t, exitUsage, []string{"exclude each other"}, "verify", "--evidence", file, "--root", e.Verification.Root)
	wantOutput(t, exitFailed, []string{"cannot be read"}, "verify", "--evidence", file+"x")
}

// The commands that evidence names check it.
func TestEvidenceNamesCommandsThatWork(t *testing.T) {
	bridgeForEvidence(t)
	t.Chdir(t.TempDir())
	out, errs, _ := runCommand(t, "audit", "--since", "20m", "--kind", "job", "--project", "vod", "--evidence", "-")
	e := evidenceOf(t, []byte(out))
	if err := os.WriteFile(e.FileName(), []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	if len(e.Check) != 3 {
		t.Fatalf("%v: %s", e.Check, errs)
	}
	for _, command := range e.Check {
		wantOutput(t, exitOK, nil, strings.Fields(command)[1:]...)
	}
}

func TestChangedEvidenceIsFound(t *testing.T) {
	b := bridgeForEvidence(t)
	out, _, _ := runCommand(t, "audit", "--since", "1d", "--evidence", "-")
	file := filepath.Join(t.TempDir(), "evidence.json")
	check := func(code int, wants ...string) {
		t.Helper()
		wantOutput(t, code, wants, "verify", "--evidence", file)
	}
	write := func(content []byte) {
		t.Helper()
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(bytes.Replace([]byte(out), []byte(`"complete": false`), []byte(`"complete": true`), 1))
	check(exitFailed, "the file was changed after it was made", "complete: true, and its own coverage says otherwise")
	for change, want := range map[string]func(*audit.Evidence){ // each with the digest of the changed file
		"changed since root": func(e *audit.Evidence) { e.Verification.Root = "1:" + strings.Repeat("0", 64) },
		"the records do not show it": func(e *audit.Evidence) {
			e.Coverage[1].Proofs = []audit.Proof{{From: e.Coverage[1].From, To: e.Coverage[1].To}}
		},
		"the records show that it is":             func(e *audit.Evidence) { e.Coverage[1].Gaps[0].From = e.Coverage[1].From },
		"the file does not have the kind":         func(e *audit.Evidence) { e.Coverage = e.Coverage[:1] },
		"the file begins at":                      func(e *audit.Evidence) { e.Coverage[1].From = e.Coverage[1].From.Add(time.Hour) },
		"says otherwise":                          func(e *audit.Evidence) { e.Complete = true },
		"the log ends at event 1, and at 2":       func(e *audit.Evidence) { e.Log.Last = 2 },
		"the log is another one":                  func(e *audit.Evidence) { e.Log.Identity, e.Verification, e.Unverified = "another", nil, "x" },
		"no evidence file, or of another version": func(e *audit.Evidence) { e.Schema = "urn:other" },
		"is not a root":                           func(e *audit.Evidence) { e.Verification.Root = "x" },
	} {
		e := evidenceOf(t, []byte(out))
		want(e)
		content, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		write(content)
		check(exitFailed, change)
	}
	write([]byte(`{"schema":"a","schema":"a"}`))
	check(exitFailed, "not valid JSON")

	// A log that was restored is recognised by its root. A file without one says so.
	e := evidenceOf(t, []byte(out))
	e.Log.Identity = "before the restore"
	content, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	write(content)
	check(exitOK, "as the file of")
	e = evidenceOf(t, []byte(out))
	e.Verification, e.Unverified = nil, "nobody verified"
	if content, err = e.Encode(); err != nil {
		t.Fatal(err)
	}
	write(content)
	check(exitOK, "the file has no root", "nobody verified")

	// Records that have aged out cannot confirm what the file says.
	stream, err := b.js.Stream(t.Context(), b.names.AuditStream())
	if err != nil {
		t.Fatal(err)
	}
	c := stream.CachedInfo().Config
	c.MaxMsgs = 1
	if _, err := b.js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	write([]byte(out))
	check(exitFailed, "NOT CONFIRMED, the records have aged out", "differ")
}

// The console's file and the command's are the same, but for who made them and when, and for who verified.
func TestEvidenceOfServerAndCommandAreAlike(t *testing.T) {
	b := bridgeForEvidence(t)
	server := httptest.NewServer(b.adminRoutes(true))
	t.Cleanup(server.Close)
	location := runJob(t, server, server, "/v1/verify")
	until := time.Now().UTC().Format(time.RFC3339Nano)
	response := serveRequest(server.Config.Handler, http.MethodGet, "/v1/evidence?since=2031-01-01&until=2032-01-01", nil)
	if response.Code != http.StatusBadRequest { // nothing is proven about a period in the future
		t.Errorf("status %d: %s", response.Code, response.Body)
	}
	since := time.Now().Add(-24 * time.Hour).UTC().Format(time.RFC3339)
	response = serveRequest(server.Config.Handler, http.MethodGet, "/v1/evidence?since="+since+"&until="+until+"&job="+filepath.Base(location), nil)
	out, errs, code := runCommand(t, "audit", "--since", since, "--until", until, "--evidence", "-")
	if response.Code != http.StatusOK || code != exitFailed {
		t.Fatalf("status %d, exit %d: %s%s", response.Code, code, response.Body, errs)
	}
	want := response.Header().Get("Content-Disposition")
	ofServer, ofCommand := evidenceOf(t, response.Body.Bytes()), evidenceOf(t, []byte(out))
	if want != "attachment; filename="+ofCommand.FileName() {
		t.Errorf("Content-Disposition %s", want)
	}
	for _, e := range []*audit.Evidence{ofServer, ofCommand} {
		if e.Made.Instance != instanceName() || e.Made.Version != version() || e.Verification.Instance == "" {
			t.Errorf("made by %+v, verified by %s", e.Made, e.Verification.Instance)
		}
		e.Made, e.Verification.Instance, e.Verification.Job = audit.Made{}, "", ""
		e.Verification.Started, e.Verification.Ended = time.Time{}, time.Time{}
	}
	a, err := ofServer.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if c, err := ofCommand.Encode(); err != nil || !bytes.Equal(a, c) {
		t.Errorf("%v:\n%s\n%s", err, a, c)
	}
}
