package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// copyStore copies a store as it lies on disk.
func copyStore(t *testing.T, from string) (to string) {
	t.Helper()
	to = filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

func jobStarted(t *testing.T, name string) []byte {
	t.Helper()
	return bytes.ReplaceAll(fixture(t, "job-started.json"), []byte("ep-0417"), []byte(name))
}

// root is what bridge verify ends with, and its exit code.
func (p *process) root(flags ...string) (root string, code int) {
	p.t.Helper()
	out, errs, code := runCommand(p.t, []string{"BRIDGE_NATS_LISTEN=" + p.nats}, append([]string{"verify"}, flags...)...)
	lines := strings.Fields(out)
	if len(lines) == 0 {
		p.t.Fatalf("verify: exit %d: %s", code, errs)
	}
	return lines[len(lines)-1], code
}

// A copy of the store of one moment has what was acknowledged until then, and goes on from there. The bridge is stopped in
// the midst of deliveries, as a snapshot of the volume would catch it.
func TestACopyOfOneMomentIsABackup(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	p := startBridge(t, "BRIDGE_STORE_DIR="+store)
	for i := range 20 {
		if status := p.deliver(jobStarted(t, fmt.Sprint("first-", i))); status != http.StatusNoContent {
			t.Fatalf("status %d", status)
		}
	}
	root, code := p.root()
	if code != exitOK {
		t.Fatalf("verify: exit %d", code)
	}

	var mu sync.Mutex
	var acknowledged []string
	enough, stop := make(chan struct{}), make(chan struct{})
	var delivering sync.WaitGroup
	delivering.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			name := fmt.Sprint("later-", i)
			if p.deliver(jobStarted(t, name)) == http.StatusNoContent {
				mu.Lock()
				acknowledged = append(acknowledged, name)
				mu.Unlock()
			}
			if i == 50 {
				close(enough)
			}
		}
	})
	<-enough
	mu.Lock()
	until := append([]string{}, acknowledged...)
	mu.Unlock()
	p.signal(syscall.SIGSTOP)
	backup := copyStore(t, store)
	p.signal(syscall.SIGCONT)
	close(stop)
	delivering.Wait()
	p.stop()

	restored := startBridge(t, "BRIDGE_STORE_DIR="+backup)
	if _, code := restored.root("--root", root); code != exitOK {
		t.Errorf("the backup does not prove the root of before: exit %d", code)
	}
	log := strings.Join(readLog(t, []string{"BRIDGE_NATS_LISTEN=" + restored.nats}), "\n") + "\n"
	for _, name := range until {
		if !strings.Contains(log, "/jobs/"+name+"\n") {
			t.Errorf("%s was acknowledged before the backup, and is not in it", name)
		}
	}
	finished := bytes.ReplaceAll(fixture(t, "job-finished.finished.json"), []byte("ep-0417"), []byte("first-0"))
	for _, body := range [][]byte{jobStarted(t, "first-0"), finished} { // what it has, and what comes next
		if status := restored.deliver(body); status != http.StatusNoContent {
			t.Errorf("status %d", status)
		}
	}
	after, code := restored.root("--root", root)
	if code != exitOK {
		t.Errorf("what was added does not go on from the backup: exit %d", code)
	}
	if got := strings.Count(strings.Join(readLog(t, []string{"BRIDGE_NATS_LISTEN=" + restored.nats}), "\n")+"\n", "/jobs/first-0\n"); got != 2 {
		t.Errorf("the log tells first-0 %d times, and the root is %s", got, after)
	}
	restored.stop()
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.command.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// A log that is older than its bucket is not written to. A store that is older as a whole goes on from what it has, and
// what is told again is recorded again.
func TestAnOlderBackup(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	p := startBridge(t, "BRIDGE_STORE_DIR="+store)
	if status := p.deliver(jobStarted(t, "first")); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
	awaitResource(t, p, "first")
	p.stop()
	backup := copyStore(t, store)
	p = startBridge(t, "BRIDGE_STORE_DIR="+store)
	if status := p.deliver(jobStarted(t, "second")); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
	awaitResource(t, p, "second")
	newest, _ := p.root()
	p.stop()

	log := filepath.Join("jetstream", "BRIDGE", "streams", "MKIO_EVENTS")
	mixed := copyStore(t, store)
	if err := os.RemoveAll(filepath.Join(mixed, log)); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(mixed, log), os.DirFS(filepath.Join(backup, log))); err != nil {
		t.Fatal(err)
	}
	_, said, code := runCommand(t, []string{"BRIDGE_STORE_DIR=" + mixed, "BRIDGE_LISTEN=127.0.0.1:0", "BRIDGE_ADMIN_LISTEN=127.0.0.1:0", "BRIDGE_NATS_LISTEN="}, "run")
	if code != exitFailed || !strings.Contains(said, "delete KV_mkio_state") {
		t.Errorf("with a log that is behind its bucket: exit %d: %s", code, said)
	}

	p = startBridge(t, "BRIDGE_STORE_DIR="+backup)
	if _, code := p.root("--root", newest); code != exitFailed {
		t.Errorf("verify does not see that the end is missing: exit %d", code)
	}
	if status := p.deliver(jobStarted(t, "second")); status != http.StatusNoContent {
		t.Errorf("status %d", status)
	}
	if log := readLog(t, []string{"BRIDGE_NATS_LISTEN=" + p.nats}); len(log) != 2 {
		t.Errorf("the log holds %v", log)
	}
	p.stop()
}

// awaitResource returns when the state bucket has a job: the server fills it on its own.
func awaitResource(t *testing.T, p *process, name string) {
	t.Helper()
	nc, err := nats.Connect(p.nats)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	awaitBucket(t, js, "mkio_state", "job.aurora-vod.ladder-hd."+name)
}
