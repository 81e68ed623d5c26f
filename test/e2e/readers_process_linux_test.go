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

// readersEnv has a process of this test program be readers: SORT ADDRESS COUNT.
const readersEnv = "E2E_READERS"

// TestReadersProcess is the readers of [startReaders].
func TestReadersProcess(t *testing.T) {
	what := strings.Fields(os.Getenv(readersEnv))
	if len(what) != 3 {
		t.Skip("other tests start it")
	}
	count, err := strconv.Atoi(what[2])
	if err != nil {
		t.Fatal(err)
	}
	for i := range count {
		switch what[0] {
		case "deaf":
			deafReader(t, what[1], i)
		case "flood":
			floodingReader(t, what[1], i)
		case "deaf-v1":
			deafV1(t, what[1], i)
		case "loop-v1":
			go loopV1(what[1])
		}
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin) // until who started it is done
}

// startReaders starts readers in a process of their own, on one processor.
func startReaders(t *testing.T, sort, addr string, count int) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	command := exec.CommandContext(ctx, "taskset", "-c", "0", os.Args[0], "-test.run", "^TestReadersProcess$")
	command.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d", readersEnv, sort, addr, count))
	if _, err := command.StdinPipe(); err != nil { // which ends with this process
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
		t.Fatalf("the readers say %q, %v", line, err)
	}
	var stopped bool
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			_ = command.Wait() // it was killed
		}
	}
	t.Cleanup(stop)
	return stop
}

func dialDeaf(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	return conn
}

// deafReader asks for the whole log and reads nothing of it.
func deafReader(t *testing.T, addr string, i int) {
	t.Helper()
	conn := dialDeaf(t, addr)
	request := fmt.Sprintf(`{"stream_name":"MKIO_EVENTS","config":{"name":"deaf%d","deliver_subject":"_INBOX.deaf%d","deliver_policy":"all","ack_policy":"none","mem_storage":true,"inactive_threshold":60000000000}}`, i, i)
	_, _ = fmt.Fprintf(conn, "CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB _INBOX.deaf%d 1\r\nPUB $JS.API.CONSUMER.CREATE.MKIO_EVENTS.deaf%d _INBOX.nobody %d\r\n%s\r\n", i, i, len(request), request)
	keep(conn)
}

// floodingReader asks for events of the log as fast as it can, and reads all answers.
func floodingReader(t *testing.T, addr string, i int) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Fprintf(conn, "CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB _INBOX.flood%d 1\r\n", i)
	var asking []byte
	for k := range 500 {
		get := fmt.Sprintf(`{"seq":%d}`, 1+(k*7919)%8000)
		asking = fmt.Appendf(asking, "PUB $JS.API.DIRECT.GET.MKIO_EVENTS _INBOX.flood%d %d\r\n%s\r\n", i, len(get), get)
	}
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	go func() {
		for {
			if _, err := conn.Write(asking); err != nil {
				return
			}
		}
	}()
}

// deafV1 asks the admin listener for everything and reads nothing of it.
func deafV1(t *testing.T, addr string, i int) {
	t.Helper()
	conn := dialDeaf(t, addr)
	_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", []string{"/v1/events?from=1", "/v1/resources"}[i%2])
	keep(conn)
}

// loopV1 reads everything, again and again.
func loopV1(addr string) {
	for {
		response, err := http.Get("http://" + addr + "/v1/resources")
		if err != nil {
			time.Sleep(10 * time.Millisecond) // it was refused
			continue
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
}

// kept are connections that nobody reads, and that must not be collected.
var kept []net.Conn

func keep(conn net.Conn) { kept = append(kept, conn) }
