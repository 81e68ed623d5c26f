package rule

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/mkio"
)

// A fakeMKIO is an MK.IO of one project with webhook rules only.
type fakeMKIO struct {
	mu      sync.Mutex
	specs   map[string]spec
	created int
	puts    []spec // all, including those that were refused
	refuse  func(types []string) string
	mayRead bool
	mayPut  bool
}

type spec struct {
	ID             string            `json:"-"`
	Enabled        bool              `json:"enabled"`
	URL            string            `json:"url"`
	Events         []string          `json:"events"`
	Headers        map[string]string `json:"headers,omitempty"`
	Authentication struct {
		Headers map[string]string `json:"headers,omitempty"`
	} `json:"authentication"`
}

const rulePath = "/api/v1/projects/aurora-vod/webhook/rules/"

func (m *fakeMKIO) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fail := func(status int, detail string) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"code": "x", "detail": detail}, "status": status})
	}
	name, ok := strings.CutPrefix(r.URL.Path, rulePath)
	is, exists := m.specs[name]
	switch {
	case !ok:
		fail(404, "no such address")
		return
	case r.Method == http.MethodGet && !m.mayRead, r.Method == http.MethodPut && !m.mayPut:
		fail(403, "not allowed")
		return
	case r.Method == http.MethodGet && !exists:
		fail(404, "no such rule")
		return
	case r.Method == http.MethodPut:
		var body struct{ Spec spec }
		if json.NewDecoder(r.Body).Decode(&body) != nil {
			fail(400, "no JSON")
			return
		}
		m.puts = append(m.puts, body.Spec)
		if m.refuse != nil {
			if why := m.refuse(body.Spec.Events); why != "" {
				fail(400, why)
				return
			}
		}
		body.Spec.ID = is.ID
		if !exists {
			m.created++
			body.Spec.ID = fmt.Sprintf("id-%d", m.created)
		}
		m.specs[name], is = body.Spec, body.Spec
	}
	shown := is
	shown.Authentication.Headers = map[string]string{}
	for header := range is.Authentication.Headers {
		shown.Authentication.Headers[header] = "********"
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"metadata": map[string]string{"id": is.ID, "name": name}, "spec": shown})
}

const (
	testSecret = "REDACT-ME-secret"
	testToken  = "REDACT-ME-token"
	address    = "https://bridge.test/webhooks/mkio"
)

// newReconciler returns a Reconciler with an MK.IO and a bucket of its own.
func newReconciler(t *testing.T) (Reconciler, *fakeMKIO) {
	t.Helper()
	m := &fakeMKIO{specs: map[string]spec{}, mayRead: true, mayPut: true}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	client, err := mkio.NewClient(mkio.ClientConfig{BaseURL: server.URL, Token: func() string { return testToken }, PerMinute: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	_, js := brokertest.Start(t).Connect()
	notes, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "mkio_bridge"})
	if err != nil {
		t.Fatal(err)
	}
	return Reconciler{Client: client, Notes: notes, URL: "https://bridge.test", Name: "mkio-bridge", Secret: func() string { return testSecret }}, m
}

// reconcile reconciles the rule. The test fails if the change or the error contains a secret.
func reconcile(t *testing.T, r Reconciler, force bool) (Change, error) {
	t.Helper()
	c, err := r.Reconcile(t.Context(), "aurora-vod", force)
	if output := fmt.Sprintf("%+v %v", c, err); strings.Contains(output, "REDACT-ME") {
		t.Errorf("a secret is in %s", output)
	}
	return c, err
}

func mustReconcile(t *testing.T, r Reconciler, force bool) Change {
	t.Helper()
	c, err := reconcile(t, r, force)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestARuleIsCreatedOnceAndThenUnchanged(t *testing.T) {
	r, m := newReconciler(t)
	if c, err := r.Plan(t.Context(), "aurora-vod", false); err != nil || c.Empty() || !c.Creates || len(m.puts) != 0 {
		t.Errorf("plan %+v, %v, %d PUTs", c, err, len(m.puts))
	}
	if c := mustReconcile(t, r, false); !c.Creates || c.Empty() || len(c.Warnings) != 0 {
		t.Errorf("change %+v", c)
	}
	current := m.specs["mkio-bridge"]
	if !current.Enabled || current.URL != address || !slices.Equal(current.Events, mkio.Types()) || current.Authentication.Headers[SecretHeader] != testSecret {
		t.Errorf("rule %+v", current)
	}
	for range 3 {
		if c := mustReconcile(t, r, false); !c.Empty() || c.Creates {
			t.Errorf("change %+v", c)
		}
	}
	if len(m.puts) != 1 {
		t.Errorf("%d PUTs", len(m.puts))
	}
	entry, err := r.Notes.Get(t.Context(), "rule.aurora-vod")
	if err != nil || strings.Contains(string(entry.Value()), testSecret) {
		t.Errorf("note %v, %v", entry, err)
	}
}

func TestANewSecretPutsTheWholeRule(t *testing.T) {
	r, m := newReconciler(t)
	mustReconcile(t, r, false)
	current := m.specs["mkio-bridge"]
	current.Headers = map[string]string{"X-Route": "a"} // for a proxy
	m.specs["mkio-bridge"] = current
	r.Secret = func() string { return "REDACT-ME-next" }
	c := mustReconcile(t, r, false)
	if len(c.Changes) != 1 || !strings.Contains(c.Changes[0], "secret") {
		t.Errorf("change %+v", c)
	}
	current = m.specs["mkio-bridge"]
	if current.Authentication.Headers[SecretHeader] != "REDACT-ME-next" || !current.Enabled || current.URL != address || current.Headers["X-Route"] != "a" || len(current.Events) != 10 {
		t.Errorf("rule %+v", current)
	}
	if c := mustReconcile(t, r, false); !c.Empty() {
		t.Errorf("change %+v", c)
	}
}

func TestAChangedRuleIsRestored(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*spec)
		want  string
	}{
		"disabled":          {func(s *spec) { s.Enabled = false }, "disabled"},
		"an event missing":  {func(s *spec) { s.Events = s.Events[1:] }, "add MediaKind.JobStarted"},
		"an event too many": {func(s *spec) { s.Events = append(slices.Clone(s.Events), "MediaKind.New") }, "remove MediaKind.New"},
		"no secret":         {func(s *spec) { s.Authentication.Headers = nil }, "secret"},
		"created again":     {func(s *spec) { s.ID = "id-99" }, "value is unknown"},
		"readable secret":   {func(s *spec) { s.Headers = map[string]string{"x-webhook-secret": "x"} }, "everyone can read"},
	} {
		t.Run(name, func(t *testing.T) {
			r, m := newReconciler(t)
			mustReconcile(t, r, false)
			current := m.specs["mkio-bridge"]
			test.spoil(&current)
			m.specs["mkio-bridge"] = current
			c := mustReconcile(t, r, false)
			if !strings.Contains(strings.Join(c.Changes, "\n"), test.want) {
				t.Errorf("change %+v, want %q", c, test.want)
			}
			current = m.specs["mkio-bridge"]
			if !current.Enabled || len(current.Events) != 10 || current.Authentication.Headers[SecretHeader] != testSecret || len(current.Headers) != 0 {
				t.Errorf("rule %+v", current)
			}
			if c := mustReconcile(t, r, false); !c.Empty() {
				t.Errorf("change %+v", c)
			}
		})
	}
}

func TestARuleWithAnotherURLNeedsForce(t *testing.T) {
	r, m := newReconciler(t)
	m.specs["mkio-bridge"] = spec{ID: "theirs", Enabled: true, URL: "https://other.test/REDACT-ME?key=REDACT-ME", Events: mkio.Types()}
	_, err := reconcile(t, r, false)
	other, ok := errors.AsType[*OtherURLError](err)
	if !ok || other.Is != "https://other.test" || other.Want != "https://bridge.test" || len(m.puts) != 0 {
		t.Fatalf("error %v after %d PUTs", err, len(m.puts))
	}
	if c := mustReconcile(t, r, true); c.Empty() || m.specs["mkio-bridge"].URL != address {
		t.Errorf("change %+v", c)
	}
}

func TestADisabledRuleOfAnotherNeedsForce(t *testing.T) {
	r, m := newReconciler(t)
	m.specs["mkio-bridge"] = spec{ID: "theirs", URL: address, Events: mkio.Types()}
	if c := mustReconcile(t, r, false); !c.Empty() || len(c.Warnings) != 1 || len(m.puts) != 0 {
		t.Errorf("change %+v", c)
	}
	if c := mustReconcile(t, r, true); c.Empty() || !m.specs["mkio-bridge"].Enabled {
		t.Errorf("change %+v", c)
	}
}

func TestRefusedTypesAreLeftOutForADay(t *testing.T) {
	lacks := func(prefix string) func([]string) string {
		return func(types []string) string {
			for _, x := range types {
				if strings.HasPrefix(x, prefix) {
					return "Event type '" + x + "' is not available."
				}
			}
			return ""
		}
	}
	unnamed := func(prefix string) func([]string) string {
		return func(types []string) string {
			if lacks(prefix)(types) != "" {
				return "Some event types are not available."
			}
			return ""
		}
	}
	for name, test := range map[string]struct {
		refuse   func([]string) string
		accepted int
	}{
		"named":                       {lacks("MediaKind.ScheduledOperation"), 6},
		"named among all types":       {func(x []string) string { return known(lacks("MediaKind.ScheduledOperation")(x)) }, 6},
		"not named":                   {unnamed("MediaKind.ScheduledOperation"), 6},
		"not named, of both features": {func(x []string) string { return unnamed("MediaKind.Sc")(x) + unnamed("MediaKind.Ch")(x) }, 3},
	} {
		t.Run(name, func(t *testing.T) {
			r, m := newReconciler(t)
			now := time.Date(2031, 3, 4, 10, 0, 0, 0, time.UTC)
			r.now = func() time.Time { return now }
			m.refuse = test.refuse
			if c := mustReconcile(t, r, false); len(c.Warnings) != 1 || len(m.specs["mkio-bridge"].Events) != test.accepted {
				t.Errorf("change %+v, rule %+v", c, m.specs["mkio-bridge"])
			}
			puts := len(m.puts)
			now = now.Add(23 * time.Hour)
			if c := mustReconcile(t, r, false); !c.Empty() || len(m.puts) != puts {
				t.Errorf("change %+v after %d PUTs", c, len(m.puts)-puts)
			}
			now = now.Add(2 * time.Hour)
			if c := mustReconcile(t, r, false); !c.Empty() || len(m.puts) == puts || len(m.puts[puts].Events) != 10 {
				t.Errorf("change %+v after %d PUTs", c, len(m.puts)-puts)
			}
			m.refuse = nil
			now = now.Add(25 * time.Hour)
			if c := mustReconcile(t, r, false); c.Empty() || len(m.specs["mkio-bridge"].Events) != 10 {
				t.Errorf("change %+v", c)
			}
		})
	}
}

// known adds existing types to a refusal. They must not be mistaken for refused ones.
func known(refusal string) string {
	if refusal == "" {
		return ""
	}
	return "Types are MediaKind.JobStarted, MediaKind.JobFinished and MediaKind.StreamingLocatorCreated."
}

func TestAnyOtherRefusalIsAnError(t *testing.T) {
	r, m := newReconciler(t)
	m.refuse = func([]string) string { return "The url is too long." }
	_, err := reconcile(t, r, false)
	if mkio.StatusOf(err) != http.StatusBadRequest || !strings.Contains(err.Error(), "too long") || len(m.puts) != 3 {
		t.Errorf("error %v after %d PUTs", err, len(m.puts))
	}
}

func TestAMissingRightIsADeniedError(t *testing.T) {
	r, m := newReconciler(t)
	m.mayPut = false
	_, err := reconcile(t, r, false)
	if denied, ok := errors.AsType[*DeniedError](err); !ok || denied.Right != "webhooks.config.create" || denied.Project != "aurora-vod" {
		t.Errorf("error %v", err)
	}
	m.mayRead = false
	_, err = reconcile(t, r, false)
	if denied, ok := errors.AsType[*DeniedError](err); !ok || denied.Right != "webhooks.config.get" {
		t.Errorf("error %v", err)
	}
}

func TestWithoutABucketTheRuleIsPutEachTime(t *testing.T) {
	r, m := newReconciler(t)
	r.Notes = nil
	for range 2 {
		if c := mustReconcile(t, r, false); c.Empty() || len(c.Warnings) != 1 {
			t.Errorf("change %+v", c)
		}
	}
	if len(m.puts) != 2 {
		t.Errorf("%d PUTs", len(m.puts))
	}
}

func TestAddress(t *testing.T) {
	for public, want := range map[string]string{
		"https://b.test": address[:8] + "b.test/webhooks/mkio", "https://b.test/": "https://b.test/webhooks/mkio",
		"https://b.test/in/webhooks/mkio": "https://b.test/in/webhooks/mkio", "http://127.0.0.1:8080": "http://127.0.0.1:8080/webhooks/mkio",
	} {
		if got, err := Address(public); err != nil || got != want {
			t.Errorf("%s: %s, %v", public, got, err)
		}
	}
	for _, public := range []string{"", "b.test", "ftp://b.test", "https://u:REDACT-ME@b.test", "https://b.test?REDACT-ME=1", "https://b.test/#a", "https://u:REDACT-ME%zz@b"} {
		if got, err := Address(public); err == nil || strings.Contains(err.Error(), "REDACT-ME") {
			t.Errorf("%q: %s, %v", public, got, err)
		}
	}
}
