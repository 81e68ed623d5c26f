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

// headerTime is how long the bridge waits for the headers of a request.
const headerTime = 5 * time.Second

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
	asked := time.Now()
	bridgetest.CheckDelivers(t, p.WebhookAddr(), secret, bridgetest.JobDelivery(t, "meanwhile", "Finished", nil))
	t.Logf("%d connections in %s, a delivery beside them in %s", many, asked.Sub(began).Round(time.Millisecond), time.Since(asked).Round(time.Millisecond))
	open := p.Metric("process_open_fds")
	if since := time.Since(began); since < headerTime && open < many { // later it closes them
		t.Errorf("the bridge holds %g connections after %s", open, since)
	}
	grown := p.Metric("process_resident_memory_bytes") - before
	t.Logf("the process has grown by %.0f MiB", grown/(1<<20))
	if grown > 400<<20 {
		t.Errorf("the process has grown by %.0f bytes", grown)
	}
	for _, conn := range conns { // each is closed because no header comes
		if answer := bridgetest.ReadToEnd(t, conn); answer != "" {
			t.Fatalf("an idle connection is answered %q", answer)
		}
	}
	p.StopGracefully()
}

// Connections may use all their slots, and not the files that the store needs.
func TestConnectionsLeaveFilesToTheStore(t *testing.T) {
	t.Parallel()
	limited := []string{"sh", "-c", `ulimit -n 300 && exec "$0" run`, bridgetest.Program(t, bridgetest.BridgePackage)}
	p := bridgetest.StartCommand(t, limited, secretEnv)
	kept, err := net.Dial("tcp", p.WebhookAddr()) // of a sender that was there before
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	answers := bufio.NewReader(kept)
	deliverKept := func(name string) {
		t.Helper()
		_, _ = io.WriteString(kept, bridgetest.RawDelivery(secret, "", bridgetest.JobDelivery(t, name, "Finished", nil)))
		response, err := http.ReadResponse(answers, nil)
		if err != nil || response.StatusCode != http.StatusNoContent {
			t.Fatalf("%s is answered %v, %v", name, response, err)
		}
	}
	deliverKept("first")
	began := time.Now()
	dialMany(t, p.WebhookAddr(), 400)
	deliverKept("meanwhile")
	p.MustGet("/readyz")
	if open := p.Metric("process_open_fds"); open > 280 {
		t.Errorf("%g files are open of 300", open)
	}
	t.Logf("all of it took %s; the connections are ended after %s", time.Since(began).Round(time.Millisecond), headerTime)
	bridgetest.CheckDelivers(t, p.WebhookAddr(), secret, bridgetest.JobDelivery(t, "behind-them", "Finished", nil)) // when there is a slot again
}

func TestGiantBodies(t *testing.T) {
	const giant = 100 << 20
	p := bridgetest.StartBridge(t, secretEnv)
	bridgetest.CheckDelivers(t, p.WebhookAddr(), secret, bridgetest.JobDelivery(t, "before", "Finished", nil))
	before := p.Metric("process_resident_memory_bytes")

	head := strings.TrimSuffix(bridgetest.RawDelivery(secret, "", nil), "Content-Length: 0\r\n\r\n")
	if answer := bridgetest.SendRaw(t, p.WebhookAddr(), head+fmt.Sprintf("Content-Length: %d\r\n\r\n", giant)); bridgetest.StatusOf(answer) != http.StatusRequestEntityTooLarge {
		t.Errorf("a length of %d is answered %q before the body", giant, answer)
	}
	var senders sync.WaitGroup
	for i := range 8 {
		senders.Go(func() {
			head, block := head+"Transfer-Encoding: chunked\r\n\r\n", "100000\r\n"+strings.Repeat(" ", 1<<20)+"\r\n"
			if i%4 == 0 {
				head, block = strings.Replace(head, "Transfer-Encoding: chunked", fmt.Sprintf("Content-Length: %d", giant), 1), strings.Repeat(" ", 1<<20)
			}
			taken, answer := push(t, p.WebhookAddr(), head, block, giant)
			// A body that has no room beside the others is refused for now.
			if status := bridgetest.StatusOf(answer); status != http.StatusRequestEntityTooLarge && status != http.StatusTooManyRequests || taken > giant/2 {
				t.Errorf("%d bytes were taken, answer %q", taken, answer)
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
		t.Errorf("the log holds %q", log)
	}
	p.StopGracefully()
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
	go func() { answered <- bridgetest.ReadToEnd(t, conn) }()
	_, err = io.WriteString(conn, head)
	for err == nil && taken < size {
		var n int
		n, err = io.WriteString(conn, block)
		taken += n
	}
	return taken, <-answered
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
		answer := bridgetest.SendRaw(t, p.WebhookAddr(), bridgetest.RawDelivery(secret, "Connection: close\r\nContent-Encoding: "+coding+"\r\n", bomb.Bytes()))
		if bridgetest.StatusOf(answer) != want {
			t.Errorf("a bomb of %d bytes, %q, is answered %q", bomb.Len(), coding, answer)
		}
	}
	if answer := bridgetest.SendRaw(t, p.WebhookAddr(), strings.Replace(bridgetest.RawDelivery(secret, "", bomb.Bytes()), "Content-Length", "Transfer-Encoding: gzip, chunked\r\nX-Length", 1)); bridgetest.StatusOf(answer) != http.StatusNotImplemented {
		t.Errorf("a transfer coding is answered %q", answer)
	}
	if grown := p.Metric("process_resident_memory_bytes") - before; grown > 50<<20 {
		t.Errorf("bombs made the process grow by %.0f bytes", grown)
	}
}
