//go:build e2e

package e2e

import (
	"net/http"
	"path/filepath"
	"testing"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
)

// Streams backed up from an embedded server are restored on an external NATS server: the root is the same, and the bridge
// continues the log.
func TestLogMigratesFromEmbeddedServer(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	p := bridgetest.StartBridge(t, "BRIDGE_STORE_DIR="+store)
	for _, name := range []string{"a", "b", "c"} {
		mustDeliver(t, p, jobStarted(t, name))
	}
	if status := p.Deliver([]byte("{}")); status != http.StatusBadRequest {
		t.Fatalf("status %d", status)
	}
	awaitState(t, p, "c")
	root, _ := verifyRoot(t, p)
	p.StopGracefully()

	old, _ := brokertest.StartIn(t, store).Connect()
	g := startWithAccounts(t)
	for _, stream := range []string{"MKIO_EVENTS", "KV_mkio_state", "MKIO_UNAPPLIED", "MKIO_AUDIT", "KV_mkio_bridge"} {
		brokertest.BackUp(t, old, stream).Restore(t, g.admin, stream)
	}
	env, reader := g.env("mkio-bridge", "bridge"), g.env("mkio-reader", "reader")
	if out, errs, code := bridgetest.Run(t, reader, "verify", "--root", root); code != exitOK {
		t.Errorf("the restored log has another root: exit %d: %s%s", code, out, errs)
	}
	q := bridgetest.StartBridge(t, env...)
	for _, body := range [][]byte{jobStarted(t, "a"), bridgetest.DeliveryOfJob(t, "job-finished.finished.json", "a")} { // a duplicate, and the next state
		if status := q.Deliver(body); status != http.StatusNoContent {
			t.Errorf("status %d", status)
		}
	}
	if status := q.Deliver([]byte("{}")); status != http.StatusBadRequest { // a duplicate
		t.Errorf("status %d", status)
	}
	if out, errs, code := bridgetest.Run(t, reader, "verify", "--root", root); code != exitOK {
		t.Errorf("the new events do not continue the restored log: exit %d: %s%s", code, out, errs)
	}
	if log := readLog(t, reader); len(log) != 4 {
		t.Errorf("the log has %v", log)
	}
	awaitStateOutput(t, reader, "--name", "a", "--state", "finished") // the restored bucket is filled from the log again
	q.StopGracefully()
	g.checkNothingRefused()
}
