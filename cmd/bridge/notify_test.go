package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
)

// writeRules writes a rules file whose target is a URL.
func writeRules(t *testing.T, url, rules string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(name, []byte("targets:\n  main: {webhook: {url: \""+url+"\"}}\nrules:\n"+rules), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestNotifyChecksAndTestsItsRules(t *testing.T) {
	posted := ""
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { posted = r.Header.Get("Mkio-Notify-Rule") }))
	t.Cleanup(receiver.Close)
	rules := writeRules(t, receiver.URL, "  - {name: failed, target: main, filter: {kind: job, phase: failed}}\n")
	wrong := writeRules(t, receiver.URL, "  - {name: failed, target: nain}\n")
	wantOutput(t, exitOK, []string{"failed sends kind job, phase failed to main"}, "notify", "--config", rules, "--check")
	wantOutput(t, exitOK, []string{"target main took the message", "Test: job sample-project/sample-1/sample is Error"}, "notify", "--config", rules, "--test", "failed")
	if posted != "failed" {
		t.Errorf("the rule %q was posted", posted)
	}
	wantOutput(t, exitUsage, []string{"--config is missing"}, "notify")
	wantOutput(t, exitUsage, []string{"no such file"}, "notify", "--config", filepath.Join(t.TempDir(), "none"))
	wantOutput(t, exitUsage, []string{"rules.yaml:4", "there is no target nain; did you mean main?"}, "notify", "--config", wrong, "--check")
	wantOutput(t, exitUsage, []string{"there is no rule faild; did you mean failed?"}, "notify", "--config", rules, "--test", "faild")
	wantOutput(t, exitUsage, []string{"exclude each other"}, "notify", "--config", rules, "--check", "--dry-run")
	wantOutput(t, exitUsage, []string{"name the dead letters"}, "notify", "failed", "delete")
	receiver.Close()
	wantOutput(t, exitFailed, []string{"target main"}, "notify", "--config", rules, "--test", "failed")
}

// A notifier that runs is ready when the consumers of its rules can be read, and serves its metrics.
func TestNotifierServesHealthAndMetrics(t *testing.T) {
	b, url := bridgetest.FreeAddress(t), brokertest.StartNATS(t, "")
	createStreams(t, url)
	t.Setenv("BRIDGE_NATS_URL", url)
	rules := writeRules(t, "http://127.0.0.1:1", "  - {name: failed, target: main}\n")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, 1)
	var out, errs bridgetest.Buffer
	go func() {
		done <- run(ctx, []string{"notify", "--config", rules, "--listen", b, "--failed-file", filepath.Join(t.TempDir(), "failed")}, &out, &errs)
	}()
	get := func(path string) (int, string) {
		response, err := http.Get("http://" + b + path)
		if err != nil {
			return 0, err.Error()
		}
		defer response.Body.Close()
		var body strings.Builder
		_ = response.Write(&body)
		return response.StatusCode, body.String()
	}
	bridgetest.Eventually(t, "the notifier is ready", func() bool { status, _ := get("/readyz"); return status == http.StatusOK })
	if status, _ := get("/livez"); status != http.StatusOK {
		t.Errorf("/livez: %d", status)
	}
	if _, body := get("/metrics"); !strings.Contains(body, `mkio_bridge_notify_sent_total{rule="failed"} 0`) || strings.Contains(body, "mkio_bridge_build_info") {
		t.Error(body)
	}
	if status, _ := get("/v1/status"); status != http.StatusNotFound {
		t.Errorf("/v1/status: %d", status)
	}
	cancel()
	if code := <-done; code != exitOK {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}
