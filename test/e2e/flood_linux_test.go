//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
)

// headerTimeout is the bridge's timeout for a request's headers.
const headerTimeout = 5 * time.Second

// dialMany opens idle connections.
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
	const many = 10_000
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Max < 3*many/2 {
		t.Skipf("%d idle connections need a limit of %d open files (ulimit -Hn); it is %d, %v", many, 3*many/2, files.Max, err)
	}
	p := bridgetest.StartBridge(t, secretEnv)
	bridgetest.CheckDelivers(t, p.WebhookAddr(), secret, bridgetest.JobDelivery(t, "before", "Finished", nil))
	before := p.Metric("process_resident_memory_bytes")
	began := time.Now()
	conns := dialMany(t, p.WebhookAddr(), many)
	connected := time.Now()
	bridgetest.CheckDelivers(t, p.WebhookAddr(), secret, bridgetest.JobDelivery(t, "meanwhile", "Finished", nil))
	t.Logf("%d connections in %s, a delivery beside them in %s", many, connected.Sub(began).Round(time.Millisecond), time.Since(connected).Round(time.Millisecond))
	open := p.Metric("process_open_fds")
	if since := time.Since(began); since < headerTimeout && open < many { // then the bridge closes them
		t.Errorf("the bridge has only %g connections open after %s", open, since)
	}
	grown := p.Metric("process_resident_memory_bytes") - before
	t.Logf("the process has grown by %.0f MiB", grown/(1<<20))
	if grown > 400<<20 {
		t.Errorf("the process has grown by %.0f bytes", grown)
	}
	for _, conn := range conns { // the bridge closes each at the header timeout
		if response := bridgetest.ReadToEnd(t, conn); response != "" {
			t.Fatalf("an idle connection got %q", response)
		}
	}
	p.StopGracefully()
}

// Idle connections may use all connection slots, but not the file descriptors that the store needs.
func TestConnectionsLeaveFileDescriptorsForTheStore(t *testing.T) {
	t.Parallel()
	limited := []string{"sh", "-c", `ulimit -n 300 && exec "$0" run`, bridgetest.Program(t, bridgetest.BridgePackage)}
	p := bridgetest.StartCommand(t, limited, secretEnv)
	keepAlive, err := net.Dial("tcp", p.WebhookAddr()) // opened before the flood
	if err != nil {
		t.Fatal(err)
	}
	defer keepAlive.Close()
	responses := bufio.NewReader(keepAlive)
	deliver := func(name string) {
		t.Helper()
		_, _ = io.WriteString(keepAlive, bridgetest.RawDelivery(secret, "", bridgetest.JobDelivery(t, name, "Finished", nil)))
		response, err := http.ReadResponse(responses, nil)
		if err != nil || response.StatusCode != http.StatusNoContent {
			t.Fatalf("delivery of %s: %v, %v", name, response, err)
		}
	}
	deliver("first")
	began := time.Now()
	dialMany(t, p.WebhookAddr(), 400)
	deliver("meanwhile")
	p.MustGet("/readyz")
	if open := p.Metric("process_open_fds"); open > 280 {
		t.Errorf("%g of 300 file descriptors are open", open)
	}
	t.Logf("took %s; idle connections are closed after %s", time.Since(began).Round(time.Millisecond), headerTimeout)
	bridgetest.CheckDelivers(t, p.WebhookAddr(), secret, bridgetest.JobDelivery(t, "afterwards", "Finished", nil)) // waits for a free slot
}

func TestGiantBodies(t *testing.T) {
	const giant = 100 << 20
	p := bridgetest.StartBridge(t, secretEnv)
	bridgetest.CheckDelivers(t, p.WebhookAddr(), secret, bridgetest.JobDelivery(t, "before", "Finished", nil))
	before := p.Metric("process_resident_memory_bytes")

	head := strings.TrimSuffix(bridgetest.RawDelivery(secret, "", nil), "Content-Length: 0\r\n\r\n")
	if response := bridgetest.SendRaw(t, p.WebhookAddr(), head+fmt.Sprintf("Content-Length: %d\r\n\r\n", giant)); bridgetest.StatusOf(response) != http.StatusRequestEntityTooLarge {
		t.Errorf("Content-Length %d: response %q before the body", giant, response)
	}
	var senders sync.WaitGroup
	for i := range 8 {
		senders.Go(func() {
			head, block := head+"Transfer-Encoding: chunked\r\n\r\n", "100000\r\n"+strings.Repeat(" ", 1<<20)+"\r\n"
			if i%4 == 0 {
				head, block = strings.Replace(head, "Transfer-Encoding: chunked", fmt.Sprintf("Content-Length: %d", giant), 1), strings.Repeat(" ", 1<<20)
			}
			written, response := push(t, p.WebhookAddr(), head, block, giant)
			// 429: the buffer pool is full.
			if status := bridgetest.StatusOf(response); status != http.StatusRequestEntityTooLarge && status != http.StatusTooManyRequests || written > giant/2 {
				t.Errorf("the bridge read %d bytes and responded %q", written, response)
			}
		})
	}
	senders.Wait()
	if grown := p.Metric("process_resident_memory_bytes") - before; grown > 200<<20 {
		t.Errorf("the process has grown by %.0f bytes", grown)
	}
	checkBombs(t, p)
	bridgetest.CheckDelivers(t, p.WebhookAddr(), secret, bridgetest.JobDelivery(t, "after", "Finished", nil))
	if log := readLog(t, p.Env()); len(log) != 2 {
		t.Errorf("the log has %q", log)
	}
	p.StopGracefully()
}

// push writes the head, then block repeatedly until size bytes are written or the bridge closes the connection. It returns
// the bytes written and the response.
func push(t *testing.T, addr, head, block string, size int) (written int, response string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer conn.Close()
	responded := make(chan string, 1)
	go func() { responded <- bridgetest.ReadToEnd(t, conn) }()
	_, err = io.WriteString(conn, head)
	for err == nil && written < size {
		var n int
		n, err = io.WriteString(conn, block)
		written += n
	}
	return written, <-responded
}

// checkBombs sends bodies that would be giant if the bridge decompressed them, which it does not.
func checkBombs(t *testing.T, p *bridgetest.Bridge) {
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
	before := p.Metric("process_resident_memory_bytes")
	for coding, want := range map[string]int{"gzip": 415, "GZIP": 415, "x-gzip": 415, "gzip, gzip": 415, "identity, gzip": 415, "identity": 400, "": 400} {
		response := bridgetest.SendRaw(t, p.WebhookAddr(), bridgetest.RawDelivery(secret, "Connection: close\r\nContent-Encoding: "+coding+"\r\n", bomb.Bytes()))
		if bridgetest.StatusOf(response) != want {
			t.Errorf("a bomb of %d bytes with coding %q: response %q", bomb.Len(), coding, response)
		}
	}
	if response := bridgetest.SendRaw(t, p.WebhookAddr(), strings.Replace(bridgetest.RawDelivery(secret, "", bomb.Bytes()), "Content-Length", "Transfer-Encoding: gzip, chunked\r\nX-Length", 1)); bridgetest.StatusOf(response) != http.StatusNotImplemented {
		t.Errorf("gzip transfer coding: response %q", response)
	}
	if grown := p.Metric("process_resident_memory_bytes") - before; grown > 50<<20 {
		t.Errorf("bombs made the process grow by %.0f bytes", grown)
	}
}
