package torture

import (
	"bufio"
	"net"
	"runtime"
	"testing"
	"time"
)

// echo answers each line with itself.
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

// A talk is a connection through a link.
type talk struct {
	t     *testing.T
	conn  net.Conn
	lines *bufio.Reader
}

func dial(t *testing.T, l *link) talk {
	t.Helper()
	conn, err := net.Dial("tcp", l.addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return talk{t, conn, bufio.NewReader(conn)}
}

func (c talk) say(line string) {
	if _, err := c.conn.Write([]byte(line + "\n")); err != nil {
		c.t.Logf("say %q: %v", line, err)
	}
}

// hear returns the next line that comes within so long, "" for none.
func (c talk) hear(within time.Duration) string {
	if err := c.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		c.t.Fatal(err)
	}
	line, _ := c.lines.ReadString('\n')
	return line
}

const (
	soon  = 10 * time.Second
	never = 50 * time.Millisecond
)

func TestLink(t *testing.T) {
	l, err := newLink(t.Context(), echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	c := dial(t, l)
	c.say("plain")
	if got := c.hear(soon); got != "plain\n" {
		t.Errorf("heard %q", got)
	}
	l.set(mode{hold: true})
	c.say("held")
	if got := c.hear(never); got != "" {
		t.Errorf("heard %q through a link that holds", got)
	}
	l.set(mode{})
	if got := c.hear(soon); got != "held\n" {
		t.Errorf("heard %q after the link held", got)
	}
	l.set(mode{delay: time.Millisecond})
	c.say("slow")
	if got := c.hear(soon); got != "slow\n" {
		t.Errorf("heard %q through a slow link", got)
	}
	l.set(mode{swallow: true})
	c.say("swallowed")
	for ; l.lost.Load() < int64(len("swallowed\n")) && t.Context().Err() == nil; runtime.Gosched() {
	}
	l.set(mode{})
	if got := c.hear(soon); got != "" {
		t.Errorf("heard %q on a connection that misses something", got)
	}
	l.set(mode{refuse: true})
	c = dial(t, l)
	c.say("refused")
	if got := c.hear(soon); got != "" {
		t.Errorf("heard %q through a link that refuses", got)
	}
	l.set(mode{})
	c = dial(t, l)
	c.say("again")
	if got := c.hear(soon); got != "again\n" {
		t.Errorf("heard %q", got)
	}
}
