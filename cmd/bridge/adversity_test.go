package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
	"mkio-bridge/internal/schematest"
)

func TestAStopBeforeTheStartIsNoFailure(t *testing.T) {
	for name, value := range map[string]string{
		"BRIDGE_LISTEN": "127.0.0.1:0", "BRIDGE_ADMIN_LISTEN": "127.0.0.1:0", "BRIDGE_NATS_LISTEN": "", "BRIDGE_STORE_DIR": t.TempDir(),
	} {
		t.Setenv(name, value)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stderr bytes.Buffer
	if code := run(ctx, []string{"run"}, io.Discard, &stderr); code != exitOK || !strings.Contains(stderr.String(), "stopped") {
		t.Errorf("exit %d: %s", code, &stderr)
	}
}

// A store that cannot be written stays so until it is opened again: the bridge ends and says why, and whoever starts
// it again finds all that was acknowledged.
func TestAFullDiskEndsTheBridge(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=600m"); err != nil {
		t.Skipf("no file system of a limited size can be made here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	store := "BRIDGE_STORE_DIR=" + filepath.Join(dir, "store")
	p := startBridge(t, store)
	if status := p.deliver(fixture(t, "job-started.json")); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
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
	if status := p.deliver(fixture(t, "job-finished.finished.json")); status/100 == 2 {
		t.Errorf("status %d on a full disk", status)
	}
	if err := <-p.ended; err == nil || !strings.Contains(err.Error(), "exit status 1") || !strings.Contains(err.Error(), "BRIDGE_STORE_DIR") || !strings.Contains(err.Error(), "has room") {
		t.Errorf("it ended with %v", err)
	}
	if err := os.Remove(filler.Name()); err != nil {
		t.Fatal(err)
	}
	p = startBridge(t, store)
	if status := p.deliver(fixture(t, "job-finished.finished.json")); status != http.StatusNoContent {
		t.Errorf("status %d with room again", status)
	}
	if log := readLog(t, []string{"BRIDGE_NATS_LISTEN=" + p.nats}); len(log) != 2 {
		t.Errorf("the log holds %v", log)
	}
	p.stop()
}

// A bridge that was started when the disk was all but full stores on when there is room.
func TestABridgeStartedOnAFullDiskHasTheRoomThatComes(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=600m"); err != nil {
		t.Skipf("no file system of a limited size can be made here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	store := "BRIDGE_STORE_DIR=" + filepath.Join(dir, "store")
	startBridge(t, store).stop()
	var room syscall.Statfs_t
	if err := syscall.Statfs(dir, &room); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, int64(room.Bavail)*room.Bsize-2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startBridge(t, store)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	large := []byte(`"resource": {"note": "` + strings.Repeat("x", 400_000) + `",`)
	body := bytes.Replace(fixture(t, "job-started.json"), []byte(`"resource": {`), large, 1)
	for i := range 10 { // twice the room that there was
		if status := p.deliver(bytes.ReplaceAll(body, []byte("ep-0417"), fmt.Appendf(nil, "ep-%d", i))); status != http.StatusNoContent {
			t.Fatalf("status %d of delivery %d", status, i)
		}
	}
	p.stop()
}

// When the bridge that polls is killed, another takes over, and what changed meanwhile is in the log once.
func TestAnotherBridgePollsWhenOneIsKilled(t *testing.T) {
	fake := mkiofake.New(mkiofake.Config{Token: demoToken, Projects: []string{mkiofake.VOD}})
	api := httptest.NewServer(fake)
	t.Cleanup(api.Close)
	job, err := lifecycle.NewKey(lifecycle.Job, mkiofake.VOD, "ladder-hd", "ep-1")
	if err != nil {
		t.Fatal(err)
	}
	fake.Create(job, "Processing")
	env := []string{"BRIDGE_NATS_URL=" + startNATS(t, ""), "BRIDGE_MKIO_URL=" + api.URL, "BRIDGE_MKIO_TOKEN=" + demoToken, "BRIDGE_POLL_ACTIVE=1s"}
	a := startBridge(t, env...)
	a.await("polling")
	awaitLog(t, env, 1)
	b := startBridge(t, env...)
	if err := a.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-a.ended
	killed := time.Now()
	fake.Move(job, "Finished")
	b.await("polling")
	t.Logf("taken over after %s", time.Since(killed).Round(100*time.Millisecond))
	log := awaitLog(t, env, 2)
	if !strings.Contains(log[0], "ep-1") || !strings.Contains(log[1], "ep-1") {
		t.Errorf("the log holds %v", log)
	}
	b.stop()
}

// await reads a bridge's log up to a message.
func (p *process) await(message string) {
	p.t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("the bridge ended before it said %q", message)
			}
			if line["msg"] == message {
				return
			}
		case <-timeout:
			p.t.Fatalf("the bridge does not say %q", message)
		}
	}
}

// awaitLog reads the log until it has so many events.
func awaitLog(t *testing.T, env []string, events int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		if log := readLog(t, env); len(log) >= events {
			return log
		}
	}
	t.Fatalf("the log does not come to hold %d events", events)
	return nil
}

// A NATS server may take far less than a delivery has.
func TestASmallPayloadLimitLosesNothing(t *testing.T) {
	c := demoConfig(t.TempDir())
	c.NatsURL = servers(startNATS(t, "max_payload: 3000"))
	b, err := open(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	large := []byte(`"resource": {"note": "` + strings.Repeat("x", 10_000) + `",`)
	if status := deliver(t, b, bytes.Replace(fixture(t, "job-started.json"), []byte(`"resource": {`), large, 1)); status != http.StatusNoContent {
		t.Errorf("status %d of an event", status)
	}
	if status := deliver(t, b, bytes.Repeat([]byte("x"), 10_000)); status != http.StatusBadRequest {
		t.Errorf("status %d of what is no delivery", status)
	}
	for e, err := range b.events.Events(t.Context(), eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		schematest.Event(t, e.Payload)
		if e.Event.Data.State != "Processing" || e.Event.Data.ResourceOmitted == "" {
			t.Errorf("event %s", e.Payload)
		}
	}
	var kept []eventlog.Kept
	for k, err := range b.events.Unapplied(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, k)
	}
	if len(kept) != 1 || kept[0].Length != 10_000 {
		t.Errorf("kept %+v", kept)
	}
}
