package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/streams"
)

// A tinyMKIO is an MK.IO with one project that has webhook rules, and no resources but live events.
type tinyMKIO struct {
	t *testing.T

	mu      sync.Mutex
	rules   map[string]map[string]any // specs
	puts    int
	denied  []string // prefixes of paths in the project
	history []map[string]any
	live    string // rows of media/liveEvents

	public *publicAddress // of the bridge
}

const tinyProject = "/api/v1/projects/aurora-vod"

func (m *tinyMKIO) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	writeJSON := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	fail := func(status int) {
		w.WriteHeader(status)
		writeJSON(map[string]any{"error": map[string]string{"code": "x", "detail": http.StatusText(status)}, "status": status})
	}
	project := map[string]any{"metadata": map[string]string{"name": "aurora-vod", "id": "p-1"}, "spec": map[string]any{"isActive": true}}
	inside, within := strings.CutPrefix(r.URL.Path, tinyProject+"/")
	name := strings.TrimPrefix(inside, "webhook/rules/")
	switch {
	case r.URL.Path == "/api/ready":
		return
	case !strings.Contains(r.Header.Get("Authorization"), "REDACT-ME"):
		fail(http.StatusUnauthorized)
	case r.URL.Path == "/api/v1/projects":
		writeJSON(map[string]any{"value": []any{project}})
	case r.URL.Path == tinyProject:
		writeJSON(project)
	case !within:
		fail(http.StatusNotFound)
	case m.isDenied(inside):
		fail(http.StatusForbidden)
	case strings.HasSuffix(inside, "/events"):
		writeJSON(map[string]any{"value": m.history})
	case inside == "webhook/rules":
		all := []any{}
		for name := range m.rules {
			all = append(all, m.view(name))
		}
		writeJSON(map[string]any{"value": all})
	case name == inside: // any list
		fmt.Fprintf(w, `{"value":[%s]}`, map[string]string{"media/liveEvents": m.live}[inside])
	case r.Method == http.MethodPut:
		var body struct{ Spec map[string]any }
		_ = json.NewDecoder(r.Body).Decode(&body)
		m.rules[name] = body.Spec
		m.puts++
		writeJSON(m.view(name))
	case m.rules[name] == nil:
		fail(http.StatusNotFound)
	case r.Method == http.MethodDelete:
		delete(m.rules, name)
	default:
		writeJSON(m.view(name))
	}
}

func (m *tinyMKIO) isDenied(inside string) bool {
	for _, beginning := range m.denied {
		if strings.HasPrefix(inside, beginning) {
			return true
		}
	}
	return false
}

// view returns a rule as MK.IO does, with its secrets masked.
func (m *tinyMKIO) view(name string) any {
	spec := maps.Clone(m.rules[name])
	spec["authentication"] = map[string]any{"headers": map[string]string{"X-Webhook-Secret": "*****"}}
	return map[string]any{"metadata": map[string]string{"id": "id-" + name, "name": name}, "spec": spec}
}

// createStreams creates the streams as a bridge does.
func createStreams(t *testing.T, url string, options ...nats.Option) {
	t.Helper()
	nc, err := nats.Connect(url, options...)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	config := streams.Config{Names: event.NewNames("mkio"), Replicas: 1, Create: true}
	if err := streams.Ensure(t.Context(), js, config); err != nil {
		t.Fatal(err)
	}
	if _, err := streams.EnsureProgress(t.Context(), js, config); err != nil {
		t.Fatal(err)
	}
}

// newInstallation starts an MK.IO and a NATS server with the streams, and sets the environment of a bridge that uses them.
func newInstallation(t *testing.T) *tinyMKIO {
	t.Helper()
	url := brokertest.StartNATS(t, "")
	createStreams(t, url)
	m := &tinyMKIO{t: t, rules: map[string]map[string]any{}}
	api := httptest.NewServer(m)
	t.Cleanup(api.Close)
	m.public = newPublicAddress(t)
	for name, value := range map[string]string{
		"BRIDGE_NATS_URL": url, "BRIDGE_MKIO_URL": api.URL, "BRIDGE_MKIO_TOKEN": tokenUntil(time.Now().AddDate(0, 2, 0)), "BRIDGE_POLL_RATE": "100000",
		"BRIDGE_WEBHOOK_URL": "https://bridge.example.com", "BRIDGE_WEBHOOK_SECRETS": "REDACT-ME-new,REDACT-ME-old",
	} {
		t.Setenv(name, value)
	}
	return m
}

// tokenUntil returns an API token with an expiry.
func tokenUntil(end time.Time) string {
	return "REDACT-ME." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, end.Unix())) + ".x"
}

// runCommand runs a command, and checks that its output contains no secret.
func runCommand(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	if strings.Contains(out.String()+errs.String(), "REDACT-ME") {
		t.Errorf("%v shows a secret: %s%s", args, out.String(), errs.String())
	}
	return out.String(), errs.String(), code
}

// wantOutput checks a command's exit code, and that stdout or stderr contain each text.
func wantOutput(t *testing.T, code int, wants []string, args ...string) {
	t.Helper()
	out, errs, got := runCommand(t, args...)
	if got != code {
		t.Errorf("%v: exit code %d, want %d: %s%s", args, got, code, out, errs)
	}
	for _, want := range wants {
		if !strings.Contains(out+errs, want) {
			t.Errorf("%v lacks %q: %s%s", args, want, out, errs)
		}
	}
}

func TestRegisterShowAndDeleteTheRule(t *testing.T) {
	m := newInstallation(t)
	wantOutput(t, exitFailed, []string{"has no rule", "bridge webhook register"}, "webhook", "show")
	wantOutput(t, exitOK, []string{"would be created", "https://bridge.example.com/webhooks/mkio"}, "webhook", "register", "--dry-run")
	if m.puts != 0 {
		t.Error("the dry run put the rule")
	}
	wantOutput(t, exitOK, []string{"aurora-vod: rule mkio-bridge is created", "X-Webhook-Secret"}, "webhook", "register", "--project", "aurora-vod")
	wantOutput(t, exitOK, []string{"unchanged"}, "webhook", "register")
	wantOutput(t, exitOK, []string{`"changes":[]`, `"warnings":[]`}, "webhook", "register", "--output", "json")
	if m.puts != 1 {
		t.Errorf("%d PUTs", m.puts)
	}
	wantOutput(t, exitOK, []string{"is enabled", "MediaKind.JobStarted", "X-Webhook-Secret"}, "webhook", "show")
	t.Setenv("BRIDGE_WEBHOOK_SECRETS", "REDACT-ME-newer")
	wantOutput(t, exitOK, []string{"secret changed"}, "webhook", "register")

	t.Setenv("BRIDGE_WEBHOOK_URL", "https://other.example.com")
	wantOutput(t, exitFailed, []string{"https://bridge.example.com", "https://other.example.com", "--force"}, "webhook", "register")
	wantOutput(t, exitFailed, []string{"--force"}, "webhook", "delete")
	wantOutput(t, exitOK, []string{"from https://bridge.example.com"}, "webhook", "register", "--force")
	wantOutput(t, exitOK, []string{"is deleted"}, "webhook", "delete")
	wantOutput(t, exitOK, []string{"did not exist"}, "webhook", "delete")
}

func TestRegisterContinuesAfterAFailedProject(t *testing.T) {
	m := newInstallation(t)
	wantOutput(t, exitFailed, []string{"project nowhere", "aurora-vod: rule mkio-bridge is created"}, "webhook", "register", "--project", "nowhere,aurora-vod")
	m.denied = []string{"webhook/"}
	wantOutput(t, exitFailed, []string{"token lacks webhooks.config.get"}, "webhook", "register")
}

func TestRegisterOnTheEmbeddedServerStoresNoNote(t *testing.T) {
	m := newInstallation(t)
	b := openForTest(t)
	t.Setenv("BRIDGE_NATS_URL", "")
	t.Setenv("BRIDGE_NATS_LISTEN", b.embedded.Addr())
	wantOutput(t, exitOK, []string{"is created", "hash of the secret not stored"}, "webhook", "register")
	if m.puts != 1 {
		t.Errorf("%d PUTs", m.puts)
	}
}

func TestRuleHistoryOrder(t *testing.T) {
	m := newInstallation(t)
	row := func(ago time.Duration, status, source string) map[string]any {
		return map[string]any{"created": time.Now().Add(-ago), "status": status, "type": "MediaKind.JobFinished", "source": source}
	}
	m.history = []map[string]any{
		row(time.Minute, "Sent", tinyProject+"/transforms/t/jobs/new"),
		row(time.Hour, "Failed", tinyProject+"/transforms/t/jobs/old"),
		row(48*time.Hour, "Failed", "/else/where?key=REDACT-ME"),
	}
	out, _, code := runCommand(t, "webhook", "history")
	old, last := strings.Index(out, "job aurora-vod/t/old"), strings.Index(out, "job aurora-vod/t/new")
	if code != exitOK || strings.Count(out, "\n") != 4 || old < 0 || last < old || !strings.Contains(out, "/else/where") {
		t.Errorf("exit %d: %s", code, out)
	}
	out, _, _ = runCommand(t, "webhook", "history", "--status", "failed", "--since", "2h", "--output", "json")
	if strings.Count(out, "\n") != 1 || !strings.Contains(out, `"status":"Failed"`) || !strings.Contains(out, "t/old") {
		t.Errorf("filtered: %s", out)
	}
}

func TestWebhookUsageErrors(t *testing.T) {
	for _, args := range [][]string{{}, {"paint"}, {"show", "--output", "xml"}, {"history", "--status", "Lost"}, {"show", "--force"}, {"show", "x"}, {"register"}} {
		if _, errs, code := runCommand(t, append([]string{"webhook"}, args...)...); code != exitUsage || errs == "" {
			t.Errorf("%v: exit code %d, %s", args, code, errs)
		}
	}
	wantOutput(t, exitOK, []string{"register", "show", "history", "delete"}, "webhook", "-h")
	wantOutput(t, exitOK, []string{"--dry-run", "--force", "--project"}, "webhook", "register", "-h")
	t.Setenv("BRIDGE_MKIO_TOKEN", "REDACT-ME")
	t.Setenv("BRIDGE_NATS_URL", "nats://127.0.0.1:1")
	wantOutput(t, exitUsage, []string{"BRIDGE_WEBHOOK_URL"}, "webhook", "register")
	t.Setenv("BRIDGE_WEBHOOK_URL", "https://b.test")
	t.Setenv("BRIDGE_WEBHOOK_SECRETS", "REDACT-ME")
	wantOutput(t, exitUnreachable, []string{"cannot be reached"}, "webhook", "register")
}
