package torture

import (
	"bufio"
	"net"
	"runtime"
	"testing"
	"time"
)

// echo starts a server that returns each line, and returns its address.
func echo(t *testing.T) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for lines := bufio.NewReader(conn); ; {
					line, err := lines.ReadString('\n')
					if err != nil {
						return
					}
					if _, err := conn.Write([]byte(line)); err != nil {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// A testConn is a connection through a link.
type testConn struct {
	t     *testing.T
	conn  net.Conn
	lines *bufio.Reader
}

func dial(t *testing.T, l *link) testConn {
	t.Helper()
	conn, err := net.Dial("tcp", l.addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return testConn{t, conn, bufio.NewReader(conn)}
}

func (c testConn) send(line string) {
	if _, err := c.conn.Write([]byte(line + "\n")); err != nil {
		c.t.Logf("send %q: %v", line, err)
	}
}

// receive returns the next line that arrives in time, "" for none.
func (c testConn) receive(within time.Duration) string {
	if err := c.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		c.t.Fatal(err)
	}
	line, _ := c.lines.ReadString('\n')
	return line
}

const (
	longWait  = 10 * time.Second
	shortWait = 50 * time.Millisecond
)

func TestLink(t *testing.T) {
	l, err := newLink(t.Context(), echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	c := dial(t, l)
	c.send("plain")
	if got := c.receive(longWait); got != "plain\n" {
		t.Errorf("received %q", got)
	}
	l.set(mode{hold: true})
	c.send("held")
	if got := c.receive(shortWait); got != "" {
		t.Errorf("received %q through a link that holds", got)
	}
	l.set(mode{})
	if got := c.receive(longWait); got != "held\n" {
		t.Errorf("received %q after the hold", got)
	}
	l.set(mode{delay: time.Millisecond})
	c.send("slow")
	if got := c.receive(longWait); got != "slow\n" {
		t.Errorf("received %q through a slow link", got)
	}
	l.set(mode{discardResponses: true})
	c.send("swallowed")
	for ; l.discarded.Load() < int64(len("swallowed\n")) && t.Context().Err() == nil; runtime.Gosched() {
	}
	l.set(mode{})
	if got := c.receive(longWait); got != "" {
		t.Errorf("received %q on a connection with discarded data", got)
	}
	l.set(mode{refuse: true})
	c = dial(t, l)
	c.send("refused")
	if got := c.receive(longWait); got != "" {
		t.Errorf("received %q through a link that refuses", got)
	}
	l.set(mode{})
	c = dial(t, l)
	c.send("again")
	if got := c.receive(longWait); got != "again\n" {
		t.Errorf("received %q", got)
	}
}
