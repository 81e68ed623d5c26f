//go:build e2e

package e2e

import (
	"net/http"
	"testing"

	"mkio-bridge/internal/bridgetest"
)

func TestABridgeStartsDeliversAndStops(t *testing.T) {
	b := bridgetest.StartBridge(t)
	if status := b.Deliver(bridgetest.Delivery(t, "job-started.json")); status != http.StatusNoContent {
		t.Errorf("status %d", status)
	}
	b.StopWell()
	b.Restart()
	if out, errs, code := bridgetest.Run(t, []string{"BRIDGE_NATS_LISTEN=" + b.NATS}, "events", "--output", "json"); code != 0 || out == "" {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	n := bridgetest.StartNATS(t, "")
	c := bridgetest.StartBridge(t, "BRIDGE_NATS_URL="+n.URL)
	n.Freeze()
	c.AwaitReadiness(http.StatusServiceUnavailable)
	n.Thaw()
	c.AwaitReadiness(http.StatusOK)
	c.StopWell()
}
