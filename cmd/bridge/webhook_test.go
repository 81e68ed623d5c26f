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

// A tinyMKIO has one project with nothing in it but webhook rules.
type tinyMKIO struct {
	t *testing.T

	mu      sync.Mutex
	rules   map[string]map[string]any // specs
	puts    int
	denied  []string // beginnings of addresses in the project
	history []map[string]any
	live    string // rows of media/liveEvents

	public *publicAddress // of the bridge that is installed
}

const tinyProject = "/api/v1/projects/aurora-vod"

func (m *tinyMKIO) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	answer := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	fail := func(status int) {
		w.WriteHeader(status)
		answer(map[string]any{"error": map[string]string{"code": "x", "detail": http.StatusText(status)}, "status": status})
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
		answer(map[string]any{"value": []any{project}})
	case r.URL.Path == tinyProject:
		answer(project)
	case !within:
		fail(http.StatusNotFound)
	case m.refuses(inside):
		fail(http.StatusForbidden)
	case strings.HasSuffix(inside, "/events"):
		answer(map[string]any{"value": m.history})
	case inside == "webhook/rules":
		all := []any{}
		for name := range m.rules {
			all = append(all, m.shown(name))
		}
		answer(map[string]any{"value": all})
	case name == inside: // any list
		fmt.Fprintf(w, `{"value":[%s]}`, map[string]string{"media/liveEvents": m.live}[inside])
	case r.Method == http.MethodPut:
		var body struct{ Spec map[string]any }
		_ = json.NewDecoder(r.Body).Decode(&body)
		m.rules[name] = body.Spec
		m.puts++
		answer(m.shown(name))
	case m.rules[name] == nil:
		fail(http.StatusNotFound)
	case r.Method == http.MethodDelete:
		delete(m.rules, name)
	default:
		answer(m.shown(name))
	}
}

func (m *tinyMKIO) refuses(inside string) bool {
	for _, beginning := range m.denied {
		if strings.HasPrefix(inside, beginning) {
			return true
		}
	}
	return false
}

// shown is a rule with its secrets masked.
func (m *tinyMKIO) shown(name string) any {
	spec := maps.Clone(m.rules[name])
	spec["authentication"] = map[string]any{"headers": map[string]string{"X-Webhook-Secret": "*****"}}
	return map[string]any{"metadata": map[string]string{"id": "id-" + name, "name": name}, "spec": spec}
}

// makeStreams makes the streams as a bridge does.
func makeStreams(t *testing.T, url string, way ...nats.Option) {
	t.Helper()
	nc, err := nats.Connect(url, way...)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := streams.Ensure(t.Context(), js, streams.Config{Names: event.NewNames("mkio"), Replicas: 1, Create: true}); err != nil {
		t.Fatal(err)
	}
}

// installed sets up a MK.IO, and the settings of a bridge that is to work with it on a real NATS server whose
// streams are made.
func installed(t *testing.T) *tinyMKIO {
	t.Helper()
	url := brokertest.StartNATS(t, "")
	makeStreams(t, url)
	m := &tinyMKIO{t: t, rules: map[string]map[string]any{}}
	api := httptest.NewServer(m)
	t.Cleanup(api.Close)
	m.public = newPublicAddress(t)
	for name, value := range map[string]string{
		"BRIDGE_NATS_URL": url, "BRIDGE_MKIO_URL": api.URL, "BRIDGE_MKIO_TOKEN": token(time.Now().AddDate(0, 2, 0)), "BRIDGE_POLL_RATE": "100000",
		"BRIDGE_WEBHOOK_URL": "https://bridge.example.com", "BRIDGE_WEBHOOK_SECRETS": "REDACT-ME-new,REDACT-ME-old",
	} {
		t.Setenv(name, value)
	}
	return m
}

// token is an API token that ends some time.
func token(end time.Time) string {
	return "REDACT-ME." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, end.Unix())) + ".x"
}

// say runs a command, and fails where what it says shows a secret.
func say(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	if strings.Contains(out.String()+errs.String(), "REDACT-ME") {
		t.Errorf("%v shows a secret: %s%s", args, out.String(), errs.String())
	}
	return out.String(), errs.String(), code
}

// wantSaid checks what a command says, on either way out, and its exit code.
func wantSaid(t *testing.T, code int, wants []string, args ...string) {
	t.Helper()
	out, errs, got := say(t, args...)
	if got != code {
		t.Errorf("%v: exit code %d, want %d: %s%s", args, got, code, out, errs)
	}
	for _, want := range wants {
		if !strings.Contains(out+errs, want) {
			t.Errorf("%v lacks %q: %s%s", args, want, out, errs)
		}
	}
}

func TestRegisterMakesShowsAndDeletesTheRule(t *testing.T) {
	m := installed(t)
	wantSaid(t, exitFailed, []string{"has no rule", "bridge webhook register"}, "webhook", "show")
	wantSaid(t, exitOK, []string{"would be made", "https://bridge.example.com/webhooks/mkio"}, "webhook", "register", "--dry-run")
	if m.puts != 0 {
		t.Error("the dry run put the rule")
	}
	wantSaid(t, exitOK, []string{"aurora-vod: rule mkio-bridge is made", "X-Webhook-Secret"}, "webhook", "register", "--project", "aurora-vod")
	wantSaid(t, exitOK, []string{"left as it is"}, "webhook", "register")
	wantSaid(t, exitOK, []string{`"changes":[]`, `"warnings":[]`}, "webhook", "register", "--output", "json")
	if m.puts != 1 {
		t.Errorf("%d PUTs", m.puts)
	}
	wantSaid(t, exitOK, []string{"is enabled", "MediaKind.JobStarted", "X-Webhook-Secret"}, "webhook", "show")
	t.Setenv("BRIDGE_WEBHOOK_SECRETS", "REDACT-ME-newer")
	wantSaid(t, exitOK, []string{"secret changed"}, "webhook", "register")

	t.Setenv("BRIDGE_WEBHOOK_URL", "https://other.example.com")
	wantSaid(t, exitFailed, []string{"https://bridge.example.com", "https://other.example.com", "--force"}, "webhook", "register")
	wantSaid(t, exitFailed, []string{"--force"}, "webhook", "delete")
	wantSaid(t, exitOK, []string{"from https://bridge.example.com"}, "webhook", "register", "--force")
	wantSaid(t, exitOK, []string{"is deleted"}, "webhook", "delete")
	wantSaid(t, exitOK, []string{"did not exist"}, "webhook", "delete")
}

func TestRegisterGoesOnToTheOtherProjects(t *testing.T) {
	m := installed(t)
	wantSaid(t, exitFailed, []string{"project nowhere", "aurora-vod: rule mkio-bridge is made"}, "webhook", "register", "--project", "nowhere,aurora-vod")
	m.denied = []string{"webhook/"}
	wantSaid(t, exitFailed, []string{"token lacks webhooks.config.get"}, "webhook", "register")
}

func TestRegisterOnTheEmbeddedServerPutsWithoutANote(t *testing.T) {
	m := installed(t)
	b := openForTest(t)
	t.Setenv("BRIDGE_NATS_URL", "")
	t.Setenv("BRIDGE_NATS_LISTEN", b.embedded.Addr())
	wantSaid(t, exitOK, []string{"is made", "hash of the secret not stored"}, "webhook", "register")
	if m.puts != 1 {
		t.Errorf("%d PUTs", m.puts)
	}
}

func TestRuleHistoryIsPrintedInOrder(t *testing.T) {
	m := installed(t)
	row := func(ago time.Duration, status, source string) map[string]any {
		return map[string]any{"created": time.Now().Add(-ago), "status": status, "type": "MediaKind.JobFinished", "source": source}
	}
	m.history = []map[string]any{
		row(time.Minute, "Sent", tinyProject+"/transforms/t/jobs/new"),
		row(time.Hour, "Failed", tinyProject+"/transforms/t/jobs/old"),
		row(48*time.Hour, "Failed", "/else/where?key=REDACT-ME"),
	}
	out, _, code := say(t, "webhook", "history")
	old, last := strings.Index(out, "job aurora-vod/t/old"), strings.Index(out, "job aurora-vod/t/new")
	if code != exitOK || strings.Count(out, "\n") != 3 || old < 0 || last < old || !strings.Contains(out, "/else/where") {
		t.Errorf("exit %d: %s", code, out)
	}
	out, _, _ = say(t, "webhook", "history", "--status", "failed", "--since", "2h", "--output", "json")
	if strings.Count(out, "\n") != 1 || !strings.Contains(out, `"status":"Failed"`) || !strings.Contains(out, "t/old") {
		t.Errorf("filtered: %s", out)
	}
}

func TestWebhookIsUsedRightly(t *testing.T) {
	for _, args := range [][]string{{}, {"paint"}, {"show", "--output", "xml"}, {"history", "--status", "Lost"}, {"show", "--force"}, {"show", "x"}, {"register"}} {
		if _, errs, code := say(t, append([]string{"webhook"}, args...)...); code != exitUsage || errs == "" {
			t.Errorf("%v: exit code %d, %s", args, code, errs)
		}
	}
	wantSaid(t, exitOK, []string{"register", "show", "history", "delete"}, "webhook", "-h")
	wantSaid(t, exitOK, []string{"-dry-run", "-force", "-project"}, "webhook", "register", "-h")
	t.Setenv("BRIDGE_MKIO_TOKEN", "REDACT-ME")
	t.Setenv("BRIDGE_NATS_URL", "nats://127.0.0.1:1")
	wantSaid(t, exitUsage, []string{"BRIDGE_WEBHOOK_URL"}, "webhook", "register")
	t.Setenv("BRIDGE_WEBHOOK_URL", "https://b.test")
	t.Setenv("BRIDGE_WEBHOOK_SECRETS", "REDACT-ME")
	wantSaid(t, exitUnreachable, []string{"cannot be reached"}, "webhook", "register")
}
