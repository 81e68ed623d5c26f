//go:build e2e && unix

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"mkio-bridge/internal/bridgetest"
)

// copyStore copies a store's files.
func copyStore(t *testing.T, from string) (to string) {
	t.Helper()
	to = filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// A point-in-time copy of the store has every delivery acknowledged before it, and a bridge continues from it. SIGSTOP
// freezes the bridge while deliveries are in flight, so that the copy is what a volume snapshot would be.
func TestStoreSnapshotIsABackup(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	b := bridgetest.StartBridge(t, "BRIDGE_STORE_DIR="+store)
	for i := range 20 {
		mustDeliver(t, b, jobStarted(t, fmt.Sprint("first-", i)))
	}
	root, code := verifyRoot(t, b)
	if code != exitOK {
		t.Fatalf("verify: exit %d", code)
	}

	var mu sync.Mutex
	var acknowledged []string
	fiftyDelivered, stop := make(chan struct{}), make(chan struct{})
	var delivering sync.WaitGroup
	delivering.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			name := fmt.Sprint("second-", i)
			response, err := b.Post(jobStarted(t, name))
			if err != nil {
				t.Error(err)
			}
			if response.Status == http.StatusNoContent {
				mu.Lock()
				acknowledged = append(acknowledged, name)
				mu.Unlock()
			}
			if i == 50 {
				close(fiftyDelivered)
			}
		}
	})
	<-fiftyDelivered
	mu.Lock()
	until := append([]string{}, acknowledged...)
	mu.Unlock()
	b.Signal(syscall.SIGSTOP)
	backup := copyStore(t, store)
	b.Signal(syscall.SIGCONT)
	close(stop)
	delivering.Wait()
	b.StopGracefully()

	restored := bridgetest.StartBridge(t, "BRIDGE_STORE_DIR="+backup)
	if _, code := verifyRoot(t, restored, "--root", root); code != exitOK {
		t.Errorf("the backup does not match the root computed before it: exit %d", code)
	}
	log := readLog(t, restored.Env())
	for _, name := range until {
		if !hasJob(log, name) {
			t.Errorf("%s was acknowledged before the backup and is missing from it", name)
		}
	}
	for _, body := range [][]byte{jobStarted(t, "first-0"), bridgetest.DeliveryOfJob(t, "job-finished.finished.json", "first-0")} { // a duplicate, and the next state
		if status := restored.Deliver(body); status != http.StatusNoContent {
			t.Errorf("status %d", status)
		}
	}
	after, code := verifyRoot(t, restored, "--root", root)
	if code != exitOK {
		t.Errorf("the new events do not continue the backup: exit %d", code)
	}
	if got := strings.Count(strings.Join(readLog(t, restored.Env()), "\n")+"\n", "/jobs/first-0\n"); got != 2 {
		t.Errorf("the log has %d events of first-0, want 2; the root is %s", got, after)
	}
	restored.StopGracefully()
}

// The bridge refuses to write to a log older than its state bucket. A store that is older as a whole continues from its last
// event: what is delivered again is recorded again.
func TestRestoreOlderBackup(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	b := bridgetest.StartBridge(t, "BRIDGE_STORE_DIR="+store)
	mustDeliver(t, b, jobStarted(t, "first"))
	awaitState(t, b, "first")
	b.StopGracefully()
	backup := copyStore(t, store)
	b.Restart()
	mustDeliver(t, b, jobStarted(t, "second"))
	awaitState(t, b, "second")
	newest, _ := verifyRoot(t, b)
	b.StopGracefully()

	log := filepath.Join("jetstream", "BRIDGE", "streams", "MKIO_EVENTS")
	mixed := copyStore(t, store)
	if err := os.RemoveAll(filepath.Join(mixed, log)); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(mixed, log), os.DirFS(filepath.Join(backup, log))); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := bridgetest.Run(t, []string{"BRIDGE_STORE_DIR=" + mixed, "BRIDGE_LISTEN=127.0.0.1:0", "BRIDGE_ADMIN_LISTEN=127.0.0.1:0", "BRIDGE_NATS_LISTEN="}, "run")
	if code != exitFailed || !strings.Contains(stderr, "delete KV_mkio_state") {
		t.Errorf("a log behind its state bucket: exit %d: %s", code, stderr)
	}

	b = bridgetest.StartBridge(t, "BRIDGE_STORE_DIR="+backup)
	if _, code := verifyRoot(t, b, "--root", newest); code != exitFailed {
		t.Errorf("verify does not detect the missing end: exit %d", code)
	}
	if status := b.Deliver(jobStarted(t, "second")); status != http.StatusNoContent {
		t.Errorf("status %d", status)
	}
	if log := readLog(t, b.Env()); len(log) != 2 {
		t.Errorf("the log has %v", log)
	}
	b.StopGracefully()
}
