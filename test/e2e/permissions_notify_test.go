//go:build e2e

package e2e

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/bridgetest"
)

// The permissions of a notifier suffice for sending, dead letters and its commands, and each of them is used.
func TestNotifyPermissionsAreSufficientAndMinimal(t *testing.T) {
	g := startFilled(t)
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Mkio-Notify-Rule") == "refused" {
			w.WriteHeader(http.StatusGone)
		}
	}))
	defer refuses.Close()
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	content := "targets:\n  main: {webhook: {url: \"" + refuses.URL + "\"}}\nrules:\n" +
		"  - {name: sent, target: main, from: all, filter: {kind: job, state: [Processing, Finished]}}\n" +
		"  - {name: refused, target: main, from: all, filter: {kind: job}}\n"
	if err := os.WriteFile(rules, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	env := g.env("mkio-notify", "notify")
	p := newExample(t, "notify", []string{bridgetest.Program(t, "mkio-bridge/cmd/bridge"), "notify", "--config", rules, "--listen", "127.0.0.1:0", "--failed-file", filepath.Join(t.TempDir(), "none")}, env...)
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	letters := 0
	err := p.AwaitLine(t.Context(), func(line string) bool {
		if strings.Contains(line, "its dead letter is stored") {
			letters++
		}
		return letters == 2
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Terminate(); err != nil {
		t.Error(err)
	}
	cut := nats.NewMsg("mkio-notify-failed.sent.job.x") // a dead letter that was too large to hold its event
	cut.Header.Set("Mkio-Notify-Rule", "sent")
	cut.Header.Set("Mkio-Notify-Sequence", "1")
	if err := g.admin.PublishMsg(cut); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ args, want string }{
		{"notify --dry-run --since 1h --config " + rules, "ep-0417 is Finished"},
		{"notify failed list", "410 Gone"},
		{"notify failed retry --rule sent --config " + rules, "sent"},
		{"notify failed delete --rule refused", "deleted"},
	} {
		if out, errs, code := bridgetest.Run(t, env, strings.Fields(tt.args)...); code != exitOK || !strings.Contains(out, tt.want) {
			t.Errorf("%s: exit %d: %s%s", tt.args, code, out, errs)
		}
	}
	checkUsed(t, publishPermissions(t, "mkio-notify"), g.rest())
	g.checkNothingRefused()
}
