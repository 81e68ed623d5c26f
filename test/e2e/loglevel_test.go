//go:build e2e

package e2e

import (
	"net/http"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
)

// A changed log level takes effect at once.
func TestLogLevelChangesAtRuntime(t *testing.T) {
	const path = "/v1/log-level"
	b := bridgetest.StartBridge(t, secretEnv)
	if got := b.MustGet(path); got != "{\"level\":\"info\"}\n" {
		t.Errorf("at the start: %s", got)
	}
	send := func(name string) {
		t.Helper()
		bridgetest.CheckDelivers(t, b.WebhookAddr(), secret, bridgetest.JobDelivery(t, name, "Finished", nil))
	}
	change := func(body string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+b.Admin+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Fatalf("%s: status %d", body, response.StatusCode)
		}
	}
	send("before")
	change(`{"level": "debug"}`)
	send("meanwhile")
	change(`{"level": "info"}`)
	send("after")
	b.StopGracefully()
	log := b.Log.String()
	if strings.Count(log, "log level changed") != 2 {
		t.Errorf("the log does not mention both changes: %s", log)
	}
	for name, want := range map[string]bool{"before": false, "meanwhile": true, "after": false} {
		if strings.Contains(log, "ladder-hd."+name) != want {
			t.Errorf("delivery %s is in the log: %t", name, !want)
		}
	}
}
