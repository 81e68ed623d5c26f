//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// readersEnv turns a process of this test program into readers. Its value is "SORT ADDRESS COUNT".
const readersEnv = "E2E_READERS"

// TestReadersProcess is the process that [startReaders] starts.
func TestReadersProcess(t *testing.T) {
	args := strings.Fields(os.Getenv(readersEnv))
	if len(args) != 3 {
		t.Skip("started by other tests")
	}
	count, err := strconv.Atoi(args[2])
	if err != nil {
		t.Fatal(err)
	}
	for i := range count {
		switch args[0] {
		case "stalled":
			stalledReader(t, args[1], i)
		case "flood":
			floodingReader(t, args[1], i)
		case "stalled-v1":
			stalledV1(t, args[1], i)
		case "live-v1":
			liveV1(t, args[1])
		case "loop-v1":
			go loopingV1(args[1])
		}
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent closes it
}

// startReaders starts count readers of a sort in a separate process, pinned to one CPU.
func startReaders(t *testing.T, sort, addr string, count int) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	command := exec.CommandContext(ctx, "taskset", "-c", "0", os.Args[0], "-test.run", "^TestReadersProcess$")
	command.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d", readersEnv, sort, addr, count))
	if _, err := command.StdinPipe(); err != nil { // closed when this process ends
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the readers printed %q, %v", line, err)
	}
	var stopped bool
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			_ = command.Wait() // always an error: the process was killed
		}
	}
	t.Cleanup(stop)
	return stop
}

func dialStalled(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	return conn
}

// stalledReader requests the whole log and reads nothing.
func stalledReader(t *testing.T, addr string, i int) {
	t.Helper()
	conn := dialStalled(t, addr)
	request := fmt.Sprintf(`{"stream_name":"MKIO_EVENTS","config":{"name":"stalled%d","deliver_subject":"_INBOX.stalled%d","deliver_policy":"all","ack_policy":"none","mem_storage":true,"inactive_threshold":60000000000}}`, i, i)
	_, _ = fmt.Fprintf(conn, "CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB _INBOX.stalled%d 1\r\nPUB $JS.API.CONSUMER.CREATE.MKIO_EVENTS.stalled%d _INBOX.unused %d\r\n%s\r\n", i, i, len(request), request)
	keepOpen(conn)
}

// floodingReader requests single events as fast as it can and reads every response.
func floodingReader(t *testing.T, addr string, i int) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Fprintf(conn, "CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB _INBOX.flood%d 1\r\n", i)
	var requests []byte
	for k := range 500 {
		get := fmt.Sprintf(`{"seq":%d}`, 1+(k*7919)%8000)
		requests = fmt.Appendf(requests, "PUB $JS.API.DIRECT.GET.MKIO_EVENTS _INBOX.flood%d %d\r\n%s\r\n", i, len(get), get)
	}
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	go func() {
		for {
			if _, err := conn.Write(requests); err != nil {
				return
			}
		}
	}()
}

// stalledV1 requests all events or resources from the admin listener and reads nothing.
func stalledV1(t *testing.T, addr string, i int) {
	t.Helper()
	conn := dialStalled(t, addr)
	_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", []string{"/v1/events?from=1", "/v1/resources"}[i%2])
	keepOpen(conn)
}

// liveV1 follows the events and reads all of them, as an open console does.
func liveV1(t *testing.T, addr string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
	go func() { _, _ = io.Copy(io.Discard, conn) }()
}

// loopingV1 reads all resources in a loop.
func loopingV1(addr string) {
	for {
		response, err := http.Get("http://" + addr + "/v1/resources")
		if err != nil {
			time.Sleep(10 * time.Millisecond) // refused: no free connection slot
			continue
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
}

// openConns keeps stalled connections from being closed by the garbage collector.
var openConns []net.Conn

func keepOpen(conn net.Conn) { openConns = append(openConns, conn) }
