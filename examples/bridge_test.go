// Package examples_test runs the examples as their readers would: against a bridge that is a process of its own.
package examples_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// within is how long a test waits for what should happen at once.
const within = time.Minute

var binaries = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "mkio-bridge-examples-") })

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := binaries(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// build builds a program of the module in dir and returns its path. The race detector does not see into processes of
// their own: they are left out where it is run, with the rest of what takes long.
func build(t *testing.T, dir, pkg string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("processes of their own")
	}
	bin, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(bin, filepath.Base(filepath.Join(dir, pkg)))
	if _, err := os.Stat(path); err == nil {
		return path
	}
	command := exec.CommandContext(t.Context(), "go", "build", "-o", path, pkg)
	command.Dir = dir
	out, err := command.CombinedOutput()
	if err != nil && unreachable(out) {
		t.Skipf("what %s needs cannot be fetched: %s", pkg, out)
	}
	if err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return path
}

// unreachable says whether a tool complains of the network, which is not the example's fault.
func unreachable(output []byte) bool {
	for _, complaint := range []string{"dial tcp", "i/o timeout", "TLS handshake", "ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ECONNRESET"} {
		if bytes.Contains(output, []byte(complaint)) {
			return true
		}
	}
	return false
}

// A bridge is `bridge run` on free ports, with its embedded server.
type bridge struct {
	t       *testing.T
	webhook string
	nats    string
	js      jetstream.JetStream // as any reader has it
}

func startBridge(t *testing.T) *bridge {
	t.Helper()
	command := exec.CommandContext(t.Context(), build(t, "..", "./cmd/bridge"), "run")
	command.Env = append(os.Environ(), "BRIDGE_LISTEN=127.0.0.1:0", "BRIDGE_ADMIN_LISTEN=127.0.0.1:0", "BRIDGE_NATS_LISTEN=127.0.0.1:0",
		"BRIDGE_LOG_FORMAT=json", "BRIDGE_STORE_DIR="+filepath.Join(t.TempDir(), "store"))
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(stderr); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		for range lines { // it is read to its end before it is waited for
		}
		_ = command.Wait()
	})
	b := &bridge{t: t}
	for line := range lines {
		var said struct{ Msg, For, Addr string }
		if json.Unmarshal([]byte(line), &said) != nil || said.Msg != "listening" {
			continue
		}
		switch said.For {
		case "webhooks":
			b.webhook = "http://" + said.Addr + "/webhooks/mkio"
		case "nats":
			b.nats = "nats://" + said.Addr
		}
		if b.webhook != "" && b.nats != "" {
			b.connect()
			return b
		}
	}
	t.Fatal("the bridge ended")
	return nil
}

func (b *bridge) connect() {
	b.t.Helper()
	nc, err := nats.Connect(b.nats)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(nc.Close)
	if b.js, err = jetstream.New(nc); err != nil {
		b.t.Fatal(err)
	}
}

// deliver posts a delivery of MK.IO of a job of that name.
func (b *bridge) deliver(fixture, job string) {
	b.t.Helper()
	body, err := os.ReadFile(filepath.Join("../internal/mkio/testdata/webhooks", fixture))
	if err != nil {
		b.t.Fatal(err)
	}
	body = bytes.ReplaceAll(body, []byte("ep-0417"), []byte(job))
	body = bytes.ReplaceAll(body, []byte("fcaab4a4-433f-591d-baeb-a98c8b9d503a"), fmt.Appendf(nil, "delivery-of-%s", job))
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.webhook, bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		b.t.Fatalf("the delivery of %s was answered %s", job, response.Status)
	}
}
