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

// smallDisk mounts a file system of a limited size.
func smallDisk(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=600m"); err != nil {
		t.Skipf("no file system of a limited size can be made here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }) // else it goes with the machine
	return dir
}

// A store that cannot be written stays so until it is opened again: the bridge ends and says why. After a restart with
// room it has all that was acknowledged.
func TestAFullDiskEndsTheBridge(t *testing.T) {
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
	// The bridge may have ended before the delivery: the server fills the state bucket in its own time, and that write meets
	// the full disk too.
	if answer, err := b.Post(bridgetest.Delivery(t, "job-finished.finished.json")); err == nil && answer.Status/100 == 2 {
		t.Errorf("status %d on a full disk", answer.Status)
	}
	if err := b.Wait(); err == nil || !strings.Contains(err.Error(), "exit status 1") || !strings.Contains(err.Error(), "BRIDGE_STORE_DIR") || !strings.Contains(err.Error(), "free space") {
		t.Errorf("the bridge ended with %v", err)
	}
	if err := os.Remove(filler.Name()); err != nil {
		t.Fatal(err)
	}
	b.Restart()
	if status := b.Deliver(bridgetest.Delivery(t, "job-finished.finished.json")); status != http.StatusNoContent {
		t.Errorf("status %d with room again", status)
	}
	if log := readLog(t, b.Env()); len(log) != 2 {
		t.Errorf("the log holds %v", log)
	}
	b.StopGracefully()
}

// A bridge that was started when the disk was all but full can use the room that is made later.
func TestABridgeStartedOnAFullDiskHasTheRoomThatComes(t *testing.T) {
	dir := smallDisk(t)
	b := bridgetest.StartBridge(t, "BRIDGE_STORE_DIR="+filepath.Join(dir, "store"))
	b.StopGracefully()
	var room syscall.Statfs_t
	if err := syscall.Statfs(dir, &room); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, int64(room.Bavail)*room.Bsize-2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	b.Restart()
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	large := []byte(`"resource": {"note": "` + strings.Repeat("x", 400_000) + `",`)
	for i := range 10 { // twice the room that there was
		body := bytes.Replace(jobStarted(t, fmt.Sprint("ep-", i)), []byte(`"resource": {`), large, 1)
		if status := b.Deliver(body); status != http.StatusNoContent {
			t.Fatalf("status %d of delivery %d", status, i)
		}
	}
	b.StopGracefully()
}
