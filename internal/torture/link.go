package torture

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A mode is what a link does to connections and data.
type mode struct {
	refuse           bool          // close existing and new connections
	hold             bool          // hold data in both directions, as in a partition that heals
	discardResponses bool          // discard data from the target; connections are closed when this ends
	delay            time.Duration // of each read, in both directions
}

// A link is a TCP proxy to one address.
type link struct {
	listener   net.Listener
	target     string
	discarded  atomic.Int64 // bytes of discarded responses
	goroutines sync.WaitGroup

	mu      sync.Mutex
	mode    mode
	changed chan struct{} // closed when the mode changes
	conns   map[net.Conn]bool
	closed  bool
}

// newLink opens a link to an address.
func newLink(ctx context.Context, to string) (*link, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &link{listener: listener, target: to, changed: make(chan struct{}), conns: map[net.Conn]bool{}}
	l.goroutines.Go(func() { l.accept(ctx) })
	return l, nil
}

func (l *link) addr() string { return l.listener.Addr().String() }

// set changes the mode. Discarded bytes corrupt a stream, so connections are closed when discarding ends.
func (l *link) set(m mode) {
	l.mu.Lock()
	broken := l.mode.discardResponses && !m.discardResponses
	l.mode = m
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
	if broken || m.refuse {
		l.cut()
	}
}

// cut closes all connections.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		_ = c.Close() // copyBytes sees the error
	}
}

func (l *link) current() (m mode, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mode, l.changed
}

func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	_ = l.listener.Close()
	l.set(mode{refuse: true})
	l.goroutines.Wait()
}

func (l *link) accept(ctx context.Context) {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		if m, _ := l.current(); m.refuse {
			_ = near.Close()
			continue
		}
		l.goroutines.Go(func() { l.proxy(ctx, near) })
	}
}

// proxy forwards a connection until either end closes it.
func (l *link) proxy(ctx context.Context, near net.Conn) {
	far, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "tcp", l.target)
	if err != nil {
		_ = near.Close()
		return
	}
	l.track(near, far)
	defer l.untrack(near, far)
	var both sync.WaitGroup
	both.Go(func() { l.copyBytes(far, near, false) })
	both.Go(func() { l.copyBytes(near, far, true) })
	both.Wait()
}

func (l *link) track(conns ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		l.conns[c] = true
		if l.closed || l.mode.refuse {
			_ = c.Close()
		}
	}
}

func (l *link) untrack(conns ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(l.conns, c)
	}
}

// copyBytes forwards data between two ends. responses: the target is the sender.
func (l *link) copyBytes(to, from net.Conn, responses bool) {
	defer func() {
		_ = to.Close()
		_ = from.Close()
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && !l.forward(to, buffer[:n], responses) {
			return
		}
		if err != nil {
			return
		}
	}
}

// forward writes data as the mode allows; false if the connection is to be closed.
func (l *link) forward(to net.Conn, data []byte, responses bool) bool {
	for {
		m, changed := l.current()
		switch {
		case m.refuse:
			return false
		case m.hold:
			<-changed
			continue
		case m.discardResponses && responses:
			l.discarded.Add(int64(len(data)))
			return true
		case m.delay > 0:
			select {
			case <-time.After(m.delay):
			case <-changed:
			}
		}
		_, err := to.Write(data)
		return err == nil
	}
}
