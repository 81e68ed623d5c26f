package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const secretEnv = "BRIDGE_WEBHOOK_SECRETS=" + demoSecret

// addr is where a bridge takes webhooks.
func (p *process) addr() string {
	return strings.TrimSuffix(strings.TrimPrefix(p.webhook, "http://"), webhookPath)
}

// metric reads one metric of a bridge.
func (p *process) metric(name string) (value float64) {
	p.t.Helper()
	for line := range strings.Lines(get(p.t, "http://"+p.admin+"/metrics", http.StatusOK)) {
		if n, _ := fmt.Sscanf(line, name+" %g", &value); n == 1 {
			return value
		}
	}
	p.t.Fatalf("there is no metric %s", name)
	return 0
}

// dialMany opens connections that say nothing.
func dialMany(t *testing.T, addr string, count int) []net.Conn {
	t.Helper()
	conns := make([]net.Conn, count)
	var dialing sync.WaitGroup
	for part := range 8 {
		dialing.Go(func() {
			for i := part; i < count; i += 8 {
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					t.Error(err)
					return
				}
				conns[i] = conn
			}
		})
	}
	dialing.Wait()
	t.Cleanup(func() {
		for _, conn := range conns {
			if conn != nil {
				conn.Close()
			}
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	return conns
}

func TestTenThousandIdleConnections(t *testing.T) {
	t.Parallel()
	const many = 10_000
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Max < 3*many/2 {
		t.Skipf("%d idle connections need a limit of %d open files (ulimit -Hn); it is %d, %v", many, 3*many/2, files.Max, err)
	}
	p := startBridge(t, "BRIDGE_STORE_DIR="+filepath.Join(t.TempDir(), "store"), secretEnv)
	checkDelivers(t, p.addr(), jobDelivery(t, "before", "Finished", nil))
	before := p.metric("process_resident_memory_bytes")
	began := time.Now()
	conns := dialMany(t, p.addr(), many)
	asked := time.Now()
	checkDelivers(t, p.addr(), jobDelivery(t, "meanwhile", "Finished", nil))
	t.Logf("%d connections in %s, a delivery beside them in %s", many, asked.Sub(began).Round(time.Millisecond), time.Since(asked).Round(time.Millisecond))
	if since := time.Since(began); since < headerTime && p.metric("process_open_fds") < many {
		t.Errorf("the bridge holds %g connections after %s", p.metric("process_open_fds"), since)
	}
	grown := p.metric("process_resident_memory_bytes") - before
	t.Logf("the process has grown by %.0f MiB", grown/(1<<20))
	if grown > 400<<20 {
		t.Errorf("the process has grown by %.0f bytes", grown)
	}
	for _, conn := range conns { // each is ended for want of a header
		if answer := readToEnd(t, conn); answer != "" {
			t.Fatalf("an idle connection is answered %q", answer)
		}
	}
	p.stop()
}

// Connections may take all their places and not the files that the store needs.
func TestConnectionsLeaveFilesToTheStore(t *testing.T) {
	t.Parallel()
	path := program(t)
	limited := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -n 300 && exec "$0" run`, path)
	p := startProcess(t, limited, "BRIDGE_STORE_DIR="+filepath.Join(t.TempDir(), "store"), secretEnv)
	kept, err := net.Dial("tcp", p.addr()) // by a sender that was there before
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	answers := bufio.NewReader(kept)
	deliverKept := func(name string) {
		t.Helper()
		_, _ = io.WriteString(kept, rawDelivery("", jobDelivery(t, name, "Finished", nil)))
		response, err := http.ReadResponse(answers, nil)
		if err != nil || response.StatusCode != http.StatusNoContent {
			t.Fatalf("%s is answered %v, %v", name, response, err)
		}
	}
	deliverKept("first")
	began := time.Now()
	dialMany(t, p.addr(), 400)
	deliverKept("meanwhile")
	get(t, "http://"+p.admin+"/readyz", http.StatusOK)
	if open := p.metric("process_open_fds"); open > 280 {
		t.Errorf("%g files are open of 300", open)
	}
	t.Logf("all of it took %s; the connections are ended after %s", time.Since(began).Round(time.Millisecond), headerTime)
	checkDelivers(t, p.addr(), jobDelivery(t, "behind-them", "Finished", nil)) // in its turn
}

func TestGiantBodies(t *testing.T) {
	t.Parallel()
	const giant = 100 << 20
	p := startBridge(t, "BRIDGE_STORE_DIR="+filepath.Join(t.TempDir(), "store"), secretEnv)
	checkDelivers(t, p.addr(), jobDelivery(t, "before", "Finished", nil))
	before := p.metric("process_resident_memory_bytes")

	head := strings.TrimSuffix(rawDelivery("", nil), "Content-Length: 0\r\n\r\n")
	if answer := sendRaw(t, p.addr(), head+fmt.Sprintf("Content-Length: %d\r\n\r\n", giant)); statusOf(answer) != http.StatusRequestEntityTooLarge {
		t.Errorf("a length of %d is answered %q before the body", giant, answer)
	}
	var senders sync.WaitGroup
	for i := range 8 {
		senders.Go(func() {
			head, block := head+"Transfer-Encoding: chunked\r\n\r\n", chunked(strings.Repeat(" ", 1<<20))
			if i%4 == 0 {
				head, block = strings.Replace(head, "Transfer-Encoding: chunked", fmt.Sprintf("Content-Length: %d", giant), 1), strings.Repeat(" ", 1<<20)
			}
			taken, answer := push(t, p.addr(), head, strings.TrimSuffix(block, "0\r\n\r\n"), giant)
			// What has no room beside the others comes again.
			if status := statusOf(answer); status != http.StatusRequestEntityTooLarge && status != http.StatusTooManyRequests || taken > giant/2 {
				t.Errorf("%d bytes were taken, answer %q", taken, answer)
			}
		})
	}
	senders.Wait()
	if grown := p.metric("process_resident_memory_bytes") - before; grown > 200<<20 {
		t.Errorf("the process has grown by %.0f bytes", grown)
	}
	checkBombs(t, p)
	checkDelivers(t, p.addr(), jobDelivery(t, "after", "Finished", nil))
	if log := readLog(t, []string{"BRIDGE_NATS_LISTEN=" + p.nats}); len(log) != 2 {
		t.Errorf("the log holds %q", log)
	}
	p.stop()
}

// push writes a head and blocks until so many bytes are written or the bridge ends the connection.
func push(t *testing.T, addr, head, block string, size int) (taken int, answer string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer conn.Close()
	answered := make(chan string, 1)
	go func() { answered <- readToEnd(t, conn) }()
	_, err = io.WriteString(conn, head)
	for err == nil && taken < size {
		var n int
		n, err = io.WriteString(conn, block)
		taken += n
	}
	return taken, <-answered
}

// checkBombs sends what would be giant if it were unpacked. Nothing is.
func checkBombs(t *testing.T, p *process) {
	t.Helper()
	var bomb bytes.Buffer
	packer, err := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	for zeros := make([]byte, 1<<20); bomb.Len() < 400<<10; {
		_, _ = packer.Write(zeros)
	}
	if err := packer.Close(); err != nil {
		t.Fatal(err)
	}
	before := p.metric("process_resident_memory_bytes")
	for coding, want := range map[string]int{"gzip": 415, "GZIP": 415, "x-gzip": 415, "gzip, gzip": 415, "identity, gzip": 415, "identity": 400, "": 400} {
		answer := sendRaw(t, p.addr(), rawDelivery("Connection: close\r\nContent-Encoding: "+coding+"\r\n", bomb.Bytes()))
		if statusOf(answer) != want {
			t.Errorf("a bomb of %d bytes, %q, is answered %q", bomb.Len(), coding, answer)
		}
	}
	if answer := sendRaw(t, p.addr(), strings.Replace(rawDelivery("", bomb.Bytes()), "Content-Length", "Transfer-Encoding: gzip, chunked\r\nX-Length", 1)); statusOf(answer) != http.StatusNotImplemented {
		t.Errorf("a transfer coding is answered %q", answer)
	}
	if grown := p.metric("process_resident_memory_bytes") - before; grown > 50<<20 {
		t.Errorf("bombs made the process grow by %.0f bytes", grown)
	}
}
