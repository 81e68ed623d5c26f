//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mkio-bridge/internal/bridgetest"
)

// smallDisk mounts a tmpfs of 600 MiB; it skips the test where it may not mount.
func smallDisk(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=600m"); err != nil {
		t.Skipf("cannot mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }) // best effort
	return dir
}

// The embedded server does not write to a store again after a failed write, so the bridge exits and says why. After a
// restart with free space the log has every acknowledged delivery.
func TestFullDiskEndsTheBridge(t *testing.T) {
	dir := smallDisk(t)
	b := bridgetest.StartBridge(t, "BRIDGE_STORE_DIR="+filepath.Join(dir, "store"))
	mustDeliver(t, b, bridgetest.Delivery(t, "job-started.json"))
	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	for size := int64(64 << 20); size > 0; { // to the last block
		offset, _ := filler.Seek(0, io.SeekEnd)
		if syscall.Fallocate(int(filler.Fd()), 0, offset, size) != nil {
			size /= 2
		}
	}
	if err := filler.Close(); err != nil {
		t.Fatal(err)
	}
	// The bridge may have exited before the delivery: the server fills the state bucket asynchronously, and that write fails
	// on the full disk too.
	if response, err := b.Post(bridgetest.Delivery(t, "job-finished.finished.json")); err == nil && response.Status/100 == 2 {
		t.Errorf("status %d on a full disk", response.Status)
	}
	if err := b.Wait(); err == nil || !strings.Contains(err.Error(), "exit status 1") || !strings.Contains(err.Error(), "BRIDGE_STORE_DIR") || !strings.Contains(err.Error(), "free space") {
		t.Errorf("the bridge ended with %v", err)
	}
	if err := os.Remove(filler.Name()); err != nil {
		t.Fatal(err)
	}
	b.Restart()
	if status := b.Deliver(bridgetest.Delivery(t, "job-finished.finished.json")); status != http.StatusNoContent {
		t.Errorf("status %d with free space", status)
	}
	if log := readLog(t, b.Env()); len(log) != 2 {
		t.Errorf("the log has %v", log)
	}
	b.StopGracefully()
}

// A bridge started on an almost full disk uses the space that is freed later.
func TestBridgeStartedOnFullDiskUsesFreedSpace(t *testing.T) {
	dir := smallDisk(t)
	b := bridgetest.StartBridge(t, "BRIDGE_STORE_DIR="+filepath.Join(dir, "store"))
	b.StopGracefully()
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, int64(stat.Bavail)*stat.Bsize-2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	b.Restart()
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	large := []byte(`"resource": {"note": "` + strings.Repeat("x", 400_000) + `",`)
	for i := range 10 { // twice the space that was free
		body := bytes.Replace(jobStarted(t, fmt.Sprint("ep-", i)), []byte(`"resource": {`), large, 1)
		if status := b.Deliver(body); status != http.StatusNoContent {
			t.Fatalf("status %d of delivery %d", status, i)
		}
	}
	b.StopGracefully()
}
