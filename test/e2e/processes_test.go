//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"mkio-bridge/internal/bridgetest"
)

func TestRunDeliverRestart(t *testing.T) {
	store := "BRIDGE_STORE_DIR=" + filepath.Join(t.TempDir(), "store")
	b := bridgetest.StartBridge(t, store)
	started, finished := bridgetest.Delivery(t, "job-started.json"), bridgetest.Delivery(t, "job-finished.finished.json")
	for _, body := range [][]byte{started, finished, finished, started} {
		if status := b.Deliver(body); status != http.StatusNoContent {
			t.Errorf("status %d", status)
		}
	}
	checkLog := func() {
		t.Helper()
		if log := readLog(t, b.Env(), "--kind", "job", "--name=ep-0417"); len(log) != 2 {
			t.Fatalf("the log has %v", log)
		}
		stdout := awaitStateOutput(t, b.Env(), "--state", "finished")
		if strings.Count(stdout, "\n") != 1 || !strings.Contains(stdout, "job aurora-vod/ladder-hd/ep-0417") {
			t.Errorf("state: %s", stdout)
		}
		if stdout, stderr, code := bridgetest.Run(t, b.Env(), "healthcheck"); code != exitOK || stdout != "ready\n" {
			t.Errorf("healthcheck: exit %d: %s%s", code, stdout, stderr)
		}
		if status, why := b.Readiness(); status != http.StatusOK {
			t.Errorf("/readyz is %d: %s", status, why)
		}
		resource := b.MustGet("/v1/resources/job/aurora-vod/ladder-hd/ep-0417")
		if !strings.Contains(resource, "mkio.job.aurora-vod.ladder-hd.ep-0417.finished") {
			t.Errorf("resource %s", resource)
		}
	}
	checkLog()
	b.StopGracefully()

	b.Restart()
	if status := b.Deliver(finished); status != http.StatusNoContent {
		t.Errorf("status %d after the restart", status)
	}
	checkLog()
	_, stderr, code := bridgetest.Run(t, []string{store, "BRIDGE_LISTEN=127.0.0.1:0", "BRIDGE_ADMIN_LISTEN=127.0.0.1:0", "BRIDGE_NATS_LISTEN="}, "run")
	if code != exitFailed || !strings.Contains(stderr, "in use by another bridge") {
		t.Errorf("a second bridge on the same store: exit %d: %s", code, stderr)
	}
	b.StopGracefully()
}

// A killed bridge loses no acknowledged delivery.
func TestKilledBridgeLosesNoAcknowledgedDelivery(t *testing.T) {
	b := bridgetest.StartBridge(t)
	var acknowledged []string
	for i := range 200 {
		name := fmt.Sprint("ep-", i)
		if b.Deliver(bridgetest.DeliveryOfJob(t, "job-started.json", name)) == http.StatusNoContent {
			acknowledged = append(acknowledged, name)
		}
	}
	b.Kill()
	b.Restart()
	log := readLog(t, b.Env())
	for _, name := range acknowledged {
		if !slices.Contains(log, "https://app.mk.io/api/v1/projects/aurora-vod/media/transforms/ladder-hd/jobs/"+name) {
			t.Errorf("%s was acknowledged but is not in the log", name)
		}
	}
	b.StopGracefully()
}

func TestTwoBridgesOnOneNATS(t *testing.T) {
	server := bridgetest.StartNATS(t, "", "--user", "me", "--pass", "hunter2")
	env := []string{"BRIDGE_NATS_USER=me", "BRIDGE_NATS_PASSWORD=hunter2", "BRIDGE_NATS_URL=" + server.URL}
	a, b := bridgetest.StartBridge(t, env...), bridgetest.StartBridge(t, env...)
	for _, name := range []string{"job-started.json", "job-finished.finished.json", "streaming-locator-created.json"} {
		body := bridgetest.Delivery(t, name)
		var wg sync.WaitGroup
		for _, p := range []*bridgetest.Bridge{a, b, a, b} {
			wg.Go(func() {
				if response, err := p.Post(body); err != nil || response.Status != http.StatusNoContent {
					t.Errorf("%v, %v", response, err)
				}
			})
		}
		wg.Wait()
	}
	if log := readLog(t, env); len(log) != 3 {
		t.Errorf("the log has %v", log)
	}
	a.StopGracefully()
	b.StopGracefully()
}

func TestDemo(t *testing.T) {
	stdout, stderr, code := bridgetest.Run(t, nil, "demo", "--within", "2s", "--jobs", "10")
	if code != exitOK || !strings.Contains(stdout, "Checked: every chain is whole") || !strings.Contains(stdout, "job aurora-vod/ladder-hd/nightly-promo") ||
		!strings.Contains(stdout, "→ Deleted") {
		t.Errorf("exit %d:\n%s%s", code, stdout, stderr)
	}
}
