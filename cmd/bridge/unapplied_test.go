package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/schematest"
)

// A commandBridge is a bridge that commands connect to. It can be restarted with other settings on the same store.
type commandBridge struct {
	*bridge
	t     *testing.T
	store string
	admin *httptest.Server
}

func newCommandBridge(t *testing.T, change func(*config)) *commandBridge {
	t.Helper()
	w := &commandBridge{t: t, store: t.TempDir()}
	w.restart(change)
	t.Cleanup(w.stop)
	return w
}

func (w *commandBridge) stop() {
	w.admin.Close()
	w.close()
}

// restart opens a bridge, and sets its addresses in the environment of commands.
func (w *commandBridge) restart(change func(*config)) {
	w.t.Helper()
	if w.bridge != nil {
		w.stop()
	}
	c := demoConfig(w.store)
	if change != nil {
		change(&c)
	}
	var err error
	if w.bridge, err = open(w.t.Context(), c, slog.New(slog.DiscardHandler)); err != nil {
		w.t.Fatal(err)
	}
	w.admin = httptest.NewServer(w.adminRoutes(true))
	w.t.Setenv("BRIDGE_ADMIN_LISTEN", w.admin.Listener.Addr().String())
	w.t.Setenv("BRIDGE_NATS_LISTEN", w.embedded.Addr())
}

func (w *commandBridge) deliver(body []byte, want int) {
	w.t.Helper()
	if status := deliver(w.t, w.bridge, body); status != want {
		w.t.Fatalf("status %d, want %d", status, want)
	}
}

// states returns the states of the log's events.
func (w *commandBridge) states() string {
	w.t.Helper()
	var states []string
	for e, err := range w.events.Events(w.t.Context(), eventlog.Query{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		schematest.Event(w.t, e.Payload)
		states = append(states, e.Event.Data.State)
	}
	return strings.Join(states, " ")
}

// checkLog checks the states in the log, and the sequences of the unapplied deliveries.
func (w *commandBridge) checkLog(log, unapplied string) {
	w.t.Helper()
	var sequences []string
	for k, err := range w.events.Unapplied(w.t.Context()) {
		if err != nil {
			w.t.Fatal(err)
		}
		sequences = append(sequences, fmt.Sprint(k.Sequence))
	}
	if l, k := w.states(), strings.Join(sequences, " "); l != log || k != unapplied {
		w.t.Errorf("the log has %q, unapplied are %q; want %q and %q", l, k, log, unapplied)
	}
}

func otherProjectOnly(c *config) { c.Projects = list{"another"} }

// bridgeWithUnapplied returns a bridge for all projects with an unrecognised, a malformed and a late delivery, sequences 1
// to 3.
func bridgeWithUnapplied(t *testing.T) *commandBridge {
	t.Helper()
	w := newCommandBridge(t, otherProjectOnly)
	w.deliver(bridgetest.Delivery(t, "job-started.json"), http.StatusAccepted)
	w.deliver([]byte("no JSON \x1b[2J"), http.StatusBadRequest)
	w.restart(nil)
	w.deliver(jobDelivery(t, "a%1bb", "Finished", nil), http.StatusNoContent)
	w.deliver(jobDelivery(t, "a%1bb", "Processing", func(d map[string]any) { d["id"], d["time"] = "before", "2031-03-04T09:00:00Z" }), http.StatusAccepted)
	w.checkLog("Finished", "1 2 3")
	return w
}

func TestUnappliedListAndShow(t *testing.T) {
	bridgeWithUnapplied(t)
	out, _, code := runCommand(t, "unapplied", "list")
	header, rows, _ := strings.Cut(strings.TrimSuffix(out, "\n"), "\n")
	lines := strings.Split(rows, "\n")
	if code != exitOK || !strings.HasPrefix(header, "SEQUENCE  RECEIVED") || len(lines) != 3 || strings.Contains(out, "\x1b") {
		t.Fatalf("exit %d: %q", code, out)
	}
	for i, want := range []string{"unrecognised", "malformed", `job aurora-vod/"ladder-hd/a\x1bb"`} {
		if !strings.HasPrefix(lines[i], fmt.Sprintf("%8d  20", i+1)) || !strings.Contains(lines[i], want) {
			t.Errorf("line %q lacks %s", lines[i], want)
		}
	}
	for want, args := range map[string][]string{
		"1 2 3": nil, "1 2": {"--reason", "malformed,unrecognised"}, "3": {"--kind", "job"}, "": {"--kind", "asset"}, "1": {"--limit", "1"},
		" ": {"--since", "2100-01-01T00:00:00Z"}, "  ": {"--until", "1h"}, "3 ": {"--project", "aurora-vod", "--name", "a\x1bb"},
	} {
		var found []string
		out, errs, code := runCommand(t, append([]string{"unapplied", "list", "--output", "json"}, args...)...)
		for line := range strings.Lines(out) {
			var k struct {
				Sequence                        uint64
				Subject, Reason, Detail, Digest string
				Received                        string
				Length                          int
				Cut                             *bool
				Body                            any
			}
			if err := json.Unmarshal([]byte(line), &k); err != nil || k.Digest == "" || k.Cut == nil || *k.Cut || k.Length == 0 || k.Body == nil || k.Received == "" {
				t.Errorf("%v: %s, %v", args, line, err)
			}
			found = append(found, fmt.Sprint(k.Sequence))
		}
		if got := strings.Join(found, " "); code != exitOK || got != strings.TrimSpace(want) {
			t.Errorf("%v: exit %d: %q, want %q: %s", args, code, got, want, errs)
		}
	}
	wantOutput(t, exitOK, []string{"more than --limit 2"}, "unapplied", "list", "--limit", "2")

	wantOutput(t, exitOK, []string{"unrecognised", "\n  \"type\": \"MediaKind.JobStarted\"", "resource   -\n", "bytes as received"}, "unapplied", "show", "1")
	out, _, _ = runCommand(t, "unapplied", "show", "2")
	if strings.Contains(out, "\x1b") || !strings.HasSuffix(out, "\n\n\"no JSON \\x1b[2J\"\n") {
		t.Errorf("printed as %q", out)
	}
	if out, _, _ = runCommand(t, "unapplied", "show", "2", "--raw"); out != "no JSON \x1b[2J" {
		t.Errorf("raw: %q", out)
	}
	wantOutput(t, exitOK, []string{`"body":"no JSON \u001b[2J"`}, "unapplied", "show", "2", "--output", "json")
	wantOutput(t, exitFailed, []string{"no message 9", "bridge unapplied list"}, "unapplied", "show", "9")
}

// webhookRequests returns how many requests to the webhook path were counted.
func webhookRequests(t *testing.T, b *bridge) (sum float64) {
	t.Helper()
	families, err := b.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "mkio_bridge_webhook_requests_total" {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func TestRetryDecidesByTheCurrentState(t *testing.T) {
	w := bridgeWithUnapplied(t)
	wantOutput(t, exitOK, []string{"1  changed       no event is recorded [nothing was written]", "2  malformed", "3  late"}, "unapplied", "retry", "--dry-run")
	w.checkLog("Finished", "1 2 3")
	before := webhookRequests(t, w.bridge)
	wantOutput(t, exitOK, []string{"1  changed       no event is recorded [now an event, deleted from unapplied]", "2  malformed     the delivery is not JSON", "[still unapplied]", "3  late"}, "unapplied", "retry")
	w.checkLog("Finished Processing", "2 3")
	if after := webhookRequests(t, w.bridge); after != before || before == 0 {
		t.Errorf("a retry counts as a webhook request: %.0f, %.0f before", after, before)
	}
	metrics := serveRequest(w.adminRoutes(true), http.MethodGet, "/metrics", nil).Body.String()
	if want := `mkio_bridge_observations_total{kind="job",outcome="changed",via="webhook"} 2`; !strings.Contains(metrics, want) {
		t.Errorf("the metrics lack %s", want)
	}
	out, _, code := runCommand(t, "unapplied", "retry", "3", "--output", "json")
	if want := `{"sequence":3,"outcome":"late","why":"the recorded end is newer","applied":false,"removed":false}` + "\n"; code != exitOK || out != want {
		t.Errorf("exit %d: %s, want %s", code, out, want)
	}
	wantOutput(t, exitFailed, []string{"404", "no message 1", "3  late"}, "unapplied", "retry", "1", "3")
	w.checkLog("Finished Processing", "2 3")
}

// A crash after the commit leaves the delivery in the stream, as --keep does.
func TestRepeatedRetryRemovesTheMessage(t *testing.T) {
	w := bridgeWithUnapplied(t)
	wantOutput(t, exitOK, []string{"[now an event, still unapplied]"}, "unapplied", "retry", "1", "--keep")
	w.checkLog("Finished Processing", "1 2 3")
	wantOutput(t, exitOK, []string{"1  repeat", "[deleted from unapplied]"}, "unapplied", "retry", "1")
	w.checkLog("Finished Processing", "2 3")
}

func TestRetryLimit(t *testing.T) {
	w := bridgeWithUnapplied(t)
	wantOutput(t, exitOK, []string{"more than --limit 1", "1  changed"}, "unapplied", "retry", "--limit", "1")
	w.checkLog("Finished Processing", "2 3")
	out, _, code := runCommand(t, "unapplied", "retry", "--reason", "late", "--kind", "job")
	if code != exitOK || strings.Count(out, "\n") != 1 || !strings.Contains(out, "3  late") {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestTruncatedBodyIsNotRetried(t *testing.T) {
	w := newCommandBridge(t, nil)
	w.deliver([]byte(strings.Repeat("x", 2<<20)), http.StatusBadRequest)
	wantOutput(t, exitOK, []string{"truncated"}, "unapplied", "show", "1")
	wantOutput(t, exitOK, []string{`"cut":true`}, "unapplied", "list", "--output", "json")
	wantOutput(t, exitFailed, []string{"1  cut ", "[still unapplied]", "cannot be retried"}, "unapplied", "retry", "1")
	w.checkLog("", "1")
}

func TestRetryNeedsTheTokenAndTheSameOrigin(t *testing.T) {
	w := bridgeWithUnapplied(t)
	const target = "/v1/unapplied/1/retry"
	if response := serveRequest(w.adminRoutes(false), http.MethodPost, target, nil); response.Code != http.StatusNotFound {
		t.Errorf("no token, not on loopback: status %d", response.Code)
	}
	for _, header := range []http.Header{
		{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}}, {"Origin": {"null"}},
	} {
		response := serveRequest(w.adminRoutes(true), http.MethodPost, target, header)
		if response.Code != http.StatusForbidden || response.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%v: status %d: %s", header, response.Code, response.Body)
		}
	}
	w.checkLog("Finished", "1 2 3")
	if err := w.config.AdminToken.Decode("REDACT-ME"); err != nil {
		t.Fatal(err)
	}
	wantOutput(t, exitFailed, []string{"401", "BRIDGE_ADMIN_TOKEN"}, "unapplied", "retry", "1", "2")
	t.Setenv("BRIDGE_ADMIN_TOKEN", "REDACT-ME-not")
	wantOutput(t, exitFailed, []string{"401"}, "unapplied", "retry", "1")
	w.checkLog("Finished", "1 2 3")
	t.Setenv("BRIDGE_ADMIN_TOKEN", "REDACT-ME")
	wantOutput(t, exitOK, []string{"1  changed"}, "unapplied", "retry", "1")
	w.checkLog("Finished Processing", "2 3")
}

func TestRetryParameters(t *testing.T) {
	w := bridgeWithUnapplied(t)
	for target, want := range map[string]int{
		"/v1/unapplied/x/retry": 400, "/v1/unapplied/0/retry": 400, "/v1/unapplied/1/retry?dryrun=true": 400, "/v1/unapplied/1/retry?dryRun=1": 400,
		"/v1/unapplied/1/retry?dryRun=true&dryRun=false": 400, "/v1/unapplied/9/retry": 404, "/v1/unapplied/1": 404, "/v1/unapplied/1/retry?dryRun=true&keep=false": 200,
	} {
		if response := serveRequest(w.adminRoutes(true), http.MethodPost, target, nil); response.Code != want {
			t.Errorf("%s: status %d, want %d: %s", target, response.Code, want, response.Body)
		}
	}
	if response := serveRequest(w.adminRoutes(true), http.MethodGet, "/v1/unapplied/1/retry", nil); response.Code != http.StatusNotFound {
		t.Errorf("GET: status %d", response.Code)
	}
	if _, err := w.js.Publish(t.Context(), "mkio-unapplied.late.x", nil); err != nil {
		t.Fatal(err)
	}
	wantOutput(t, exitFailed, []string{"422", "message 4: not a delivery"}, "unapplied", "retry", "4")
	wantOutput(t, exitFailed, []string{"message 4: not a delivery", "3  20"}, "unapplied", "list")
	wantOutput(t, exitFailed, []string{"message 4: not a delivery", "3  late"}, "unapplied", "retry", "--dry-run")
	if log := w.states(); log != "Finished" {
		t.Errorf("the log has %q", log)
	}
}

// A delivery that is not in the log stays unapplied.
func TestRetryThatCannotCommitRemovesNothing(t *testing.T) {
	w := bridgeWithUnapplied(t)
	if err := w.js.DeleteStream(t.Context(), w.names.EventStream()); err != nil {
		t.Fatal(err)
	}
	wantOutput(t, exitFailed, []string{"message 1", "503", "2  malformed"}, "unapplied", "retry", "1", "2")
	if _, ok, err := w.events.UnappliedAt(t.Context(), 1); !ok || err != nil {
		t.Errorf("the delivery is no longer unapplied: %v", err)
	}
}

func TestFailedRetryIsExplained(t *testing.T) {
	w := bridgeWithUnapplied(t)
	w.embedded.Shutdown()
	wantOutput(t, exitFailed, []string{"503", "repeat the request"}, "unapplied", "retry", "1")
	wantOutput(t, exitUnreachable, nil, "unapplied", "retry")
	moved := httptest.NewServer(http.RedirectHandler("http://elsewhere.example", http.StatusTemporaryRedirect))
	defer moved.Close()
	wantOutput(t, exitFailed, []string{"307"}, "unapplied", "retry", "1", "2", "--bridge", moved.URL)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }))
	defer other.Close()
	wantOutput(t, exitFailed, []string{"is not a bridge's"}, "unapplied", "retry", "1", "--bridge", other.URL+"/")
	w.admin.Close()
	wantOutput(t, exitFailed, []string{"the bridge cannot be reached", "--bridge"}, "unapplied", "retry", "1", "2")
}

func TestUnappliedUsageErrors(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"paint"},
		{"list", "x"},
		{"list", "--reason", "lost"},
		{"list", "--kind", "cassette"},
		{"list", "--limit", "-1"},
		{"list", "--output", "xml"},
		{"show"},
		{"show", "x"},
		{"show", "0"},
		{"show", "1", "2"},
		{"show", "1", "--output", "xml"},
		{"retry", "x"},
		{"retry", "1", "--reason", "late"},
		{"retry", "1", "--limit", "5"},
		{"retry", "--output", "xml"},
		{"retry", "1", "--bridge", "ftp://x"},
		{"retry", "1", "--bridge", "http://u:p@x"},
	} {
		if _, errs, code := runCommand(t, append([]string{"unapplied"}, args...)...); code != exitUsage || errs == "" {
			t.Errorf("%v: exit code %d, %s", args, code, errs)
		}
	}
	wantOutput(t, exitOK, []string{"list", "show", "retry"}, "unapplied", "-h")
	wantOutput(t, exitOK, []string{"--dry-run", "--reason", "redacted"}, "unapplied", "retry", "-h")
}
