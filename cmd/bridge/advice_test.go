package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"mkio-bridge/internal/broker"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/poll"
	"mkio-bridge/internal/rule"
)

// The internal packages know no settings: cmd/bridge adds which to change, exactly once.
func TestErrorsNameTheSettingToChange(t *testing.T) {
	for _, tt := range []struct {
		err   error
		wants []string
	}{
		{&eventlog.MissingStreamError{Stream: "MKIO_EVENTS"}, []string{"stream MKIO_EVENTS does not exist", "BRIDGE_SUBJECT_PREFIX"}},
		{&rule.OtherURLError{Project: "p", Rule: "r", Is: "https://a", Want: "https://b"}, []string{"delivers to https://a", "BRIDGE_WEBHOOK_RULE", "bridge webhook register --force"}},
		{&rule.AddressError{Err: errors.New("no path")}, []string{"no path", "BRIDGE_WEBHOOK_URL"}},
		{rule.ErrNoSecret, []string{"no secret", "BRIDGE_WEBHOOK_SECRETS"}},
	} {
		for _, output := range []string{withAdvice(tt.err), pollAdvice(tt.err) + tt.err.Error(), withAdvice(usageError{tt.err})} {
			for _, want := range tt.wants {
				if strings.Count(output, want) != 1 {
					t.Errorf("%q does not occur exactly once: %s", want, output)
				}
			}
		}
	}
}

func TestEachFailureHasAdvice(t *testing.T) {
	err := failures{&rule.OtherURLError{Project: "p"}, errors.New("project q: gone"), rule.ErrNoSecret}
	lines := strings.Split(withAdvice(err), "\n")
	if len(lines) != 3 || !strings.HasSuffix(lines[0], "--force") || lines[1] != "project q: gone" || !strings.HasSuffix(lines[2], "BRIDGE_WEBHOOK_SECRETS") {
		t.Errorf("advice %q", lines)
	}
}

func TestEmbeddedServerStartErrorNamesTheSetting(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	inTheWay := t.TempDir()
	if err := os.WriteFile(filepath.Join(inTheWay, "jetstream"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	inUse := t.TempDir()
	other, err := broker.Start(broker.EmbeddedConfig{StoreDir: inUse, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Shutdown()
	for _, tt := range []struct {
		store, listen string
		wants         []string
	}{
		{inUse, "", []string{"BRIDGE_STORE_DIR", inUse, "in use by another bridge: stop it"}},
		{file, "", []string{"BRIDGE_STORE_DIR", file}},
		{filepath.Join(file, "x"), "", []string{"BRIDGE_STORE_DIR"}},
		{inTheWay, "", []string{"BRIDGE_STORE_DIR", inTheWay}},
		{t.TempDir(), taken.Addr().String(), []string{"BRIDGE_NATS_LISTEN", taken.Addr().String(), "in use", "set it empty for no port"}},
		{t.TempDir(), "192.0.2.1:4222", []string{"BRIDGE_NATS_LISTEN"}},
	} {
		t.Setenv("BRIDGE_STORE_DIR", tt.store)
		t.Setenv("BRIDGE_NATS_LISTEN", tt.listen)
		t.Setenv("BRIDGE_LISTEN", "127.0.0.1:0")
		t.Setenv("BRIDGE_ADMIN_LISTEN", "127.0.0.1:0")
		wantOutput(t, exitFailed, tt.wants, "run")
	}
}

func TestInvalidNATSAddressNamesTheSettings(t *testing.T) {
	for _, url := range []string{
		"nats://me:REDACT-ME@127.0.0.1:x", "nats://me:12/REDACT-ME@127.0.0.1:1", "nats://me:REDACT-ME#3@127.0.0.1:1",
		"nats://me:REDACT-ME,3@127.0.0.1:1", "nats://me:REDACT-ME%zz@127.0.0.1:1",
	} {
		t.Setenv("BRIDGE_NATS_URL", url)
		wantOutput(t, exitUsage, []string{"BRIDGE_NATS_URL", "BRIDGE_NATS_PASSWORD"}, "events")
	}
}

func TestTooLargeBodyResponseNamesTheSetting(t *testing.T) {
	b := openForTest(t)
	request := httptest.NewRequest(http.MethodPost, "/webhooks/mkio", nil)
	request.Header.Set("X-Webhook-Secret", demoSecret)
	request.ContentLength = int64(b.config.MaxBody) + 1
	response := httptest.NewRecorder()
	b.ingest.ServeHTTP(response, request)
	if response.Code != http.StatusRequestEntityTooLarge || !strings.Contains(response.Body.String(), `"the body is larger than BRIDGE_MAX_BODY"`) {
		t.Errorf("%d %s", response.Code, response.Body)
	}
}

func TestRateLimitMetricNamesTheSetting(t *testing.T) {
	const want = `
# HELP mkio_bridge_api_budget_limit Maximum requests per minute for each project (BRIDGE_POLL_RATE). A twentieth is reserved for bursts.
# TYPE mkio_bridge_api_budget_limit gauge
mkio_bridge_api_budget_limit 1000
`
	if err := testutil.CollectAndCompare(rateLimit(config{PollRate: 1000}), strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// The poller knows no settings: cmd/bridge adds which to change.
func TestEachPollerErrorHasAdvice(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&poll.TokenExpiryError{At: time.Now()}, "BRIDGE_MKIO_TOKEN"},
		{&poll.UnpolledParentsError{Kind: lifecycle.LiveOutput, Parents: []lifecycle.Kind{lifecycle.LiveEvent}}, "BRIDGE_KINDS: live-event"},
		{&identity.MismatchError{Aspect: identity.OfAddress}, "BRIDGE_MKIO_ADOPT"},
		{&identity.UnknownError{Project: "p"}, "BRIDGE_MKIO_ADOPT=all"},
		{errors.Join(errors.New("list"), poll.ErrStoredCopy), "no cache"},
		{&mkio.APIError{Status: 401}, "BRIDGE_MKIO_TOKEN"},
		{&mkio.APIError{Status: 403}, "bridge doctor"},
		{&mkio.APIError{Status: 404}, "BRIDGE_PROJECTS"},
		{&mkio.APIError{Status: 429}, "BRIDGE_POLL_RATE"},
		{&mkio.APIError{Status: 500}, "the bridge retries"},
		{errors.New("connection refused"), "BRIDGE_MKIO_URL"},
		{context.DeadlineExceeded, "the bridge retries"},
	} {
		if got := pollAdvice(tt.err); !strings.Contains(got, tt.want) {
			t.Errorf("on %v: %q, want %q", tt.err, got, tt.want)
		}
	}
}
