//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
)

// consoles is how many consoles are open, each in a browser of its own.
const consoles = 100

// A browserConn is a kept-alive connection of a browser.
type browserConn struct {
	net.Conn
	responses *bufio.Reader
}

// browse sends a request on a new connection, and returns it with the status of the response. The body is not read.
func browse(t *testing.T, p *bridgetest.Bridge, path string) (browserConn, int) {
	t.Helper()
	conn, err := net.Dial("tcp", p.Admin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := browserConn{conn, bufio.NewReader(conn)}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(c.responses, nil)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if response.StatusCode == http.StatusTooManyRequests && response.Header.Get("Retry-After") == "" {
		t.Errorf("%s: 429 without Retry-After", path)
	}
	return c, response.StatusCode
}

// openConsoles opens consoles: each has an event stream and five idle connections. It returns the streams.
func openConsoles(t *testing.T, p *bridgetest.Bridge) (streams []browserConn) {
	t.Helper()
	for range consoles {
		switch stream, status := browse(t, p, "/v1/events"); status {
		case http.StatusOK:
			streams = append(streams, stream)
		case http.StatusTooManyRequests:
		default:
			t.Fatalf("stream: status %d", status)
		}
		for range 5 {
			if _, status := browse(t, p, "/console/"); status != http.StatusOK {
				t.Fatalf("page: status %d", status)
			}
		}
	}
	return streams
}

// A hundred open consoles leave the bridge ready, its pages answered and its deliveries stored, also where few files may be
// open. All consoles have their stream where files are no limit.
func TestHundredConsoles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		command     string
		least, most int
	}{
		"many files": {`exec "$0" run`, consoles, consoles},
		"few files":  {`ulimit -n 256 && exec "$0" run`, 10, 16},
	} {
		t.Run(name, func(t *testing.T) {
			p := bridgetest.StartCommand(t, []string{"sh", "-c", c.command, bridgetest.Program(t, bridgetest.BridgePackage)}, secretEnv)
			streams := openConsoles(t, p)
			if len(streams) < c.least || len(streams) > c.most {
				t.Errorf("%d streams are open", len(streams))
			}
			for _, path := range []string{"/readyz", "/livez", "/metrics", "/console/", "/v1/status", "/v1/resources?view=row", "/v1/events?follow=false"} {
				p.MustGet(path)
			}
			bridgetest.CheckDelivers(t, p.WebhookAddr(), secret, bridgetest.JobDelivery(t, "beside-consoles", "Finished", nil))
			for i, stream := range streams {
				awaitMessage(t, stream, i, "beside-consoles")
			}
			p.StopGracefully()
		})
	}
}

// awaitMessage reads a stream until a message has a text.
func awaitMessage(t *testing.T, stream browserConn, i int, text string) {
	t.Helper()
	for {
		line, err := stream.responses.ReadString('\n')
		if strings.Contains(line, text) {
			return
		}
		if err != nil {
			t.Fatalf("stream %d: %v", i, err)
		}
	}
}
