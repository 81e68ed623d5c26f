//go:build e2e

package e2e

import (
	"net/http/httptest"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// awaitEvents waits until the log has at least that many events, and returns their sources.
func awaitEvents(t *testing.T, env []string, events int) (log []string) {
	t.Helper()
	bridgetest.Eventually(t, "the log has another event", func() bool {
		log = readLog(t, env)
		return len(log) >= events
	})
	return log
}

// When the polling bridge is killed, another bridge takes over the lease and records a change made meanwhile once.
func TestAnotherBridgeTakesOverPolling(t *testing.T) {
	t.Parallel()
	fake := mkiofake.New(mkiofake.Config{Token: token, Projects: []string{mkiofake.VOD}})
	api := httptest.NewServer(fake)
	t.Cleanup(api.Close)
	job, err := lifecycle.NewKey(lifecycle.Job, mkiofake.VOD, "ladder-hd", "ep-1")
	if err != nil {
		t.Fatal(err)
	}
	fake.Create(job, "Processing")
	env := []string{"BRIDGE_NATS_URL=" + bridgetest.StartNATS(t, "").URL, "BRIDGE_MKIO_URL=" + api.URL, "BRIDGE_MKIO_TOKEN=" + token, "BRIDGE_POLL_ACTIVE=1s"}
	a := bridgetest.StartBridge(t, env...)
	a.AwaitLog("polling started")
	awaitEvents(t, env, 1)
	b := bridgetest.StartBridge(t, env...)
	a.Kill()
	fake.Move(job, "Finished")
	b.AwaitLog("polling started")
	log := awaitEvents(t, env, 2)
	if len(log) != 2 || !strings.Contains(log[0], "ep-1") || !strings.Contains(log[1], "ep-1") {
		t.Errorf("the log has %v", log)
	}
	b.StopGracefully()
}
