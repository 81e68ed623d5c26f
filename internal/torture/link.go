package torture

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A mode is what a link does to what passes.
type mode struct {
	refuse  bool          // connections end, and new ones at once
	hold    bool          // nothing passes either way; what was sent waits, as in a partition that heals
	swallow bool          // what the far end answers is thrown away; when that ends, so do the connections
	delay   time.Duration // of each piece, each way
}

// A link is a way for TCP connections from one process to another.
type link struct {
	listener net.Listener
	to       string
	lost     atomic.Int64 // bytes of answers thrown away
	carrying sync.WaitGroup

	mu      sync.Mutex
	mode    mode
	changed chan struct{} // closed when the mode changes
	conns   map[net.Conn]bool
	closed  bool
}

// newLink opens a way to an address.
func newLink(ctx context.Context, to string) (*link, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &link{listener: listener, to: to, changed: make(chan struct{}), conns: map[net.Conn]bool{}}
	l.carrying.Go(func() { l.accept(ctx) })
	return l, nil
}

func (l *link) addr() string { return l.listener.Addr().String() }

// set changes what the link does. Bytes that were thrown away leave a stream broken: connections end with that.
func (l *link) set(m mode) {
	l.mu.Lock()
	broken := l.mode.swallow && !m.swallow
	l.mode = m
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
	if broken || m.refuse {
		l.cut()
	}
}

// cut ends the connections under way.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		_ = c.Close() // its carriers see it
	}
}

func (l *link) now() (m mode, changed <-chan struct{}) {
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
	l.carrying.Wait()
}

func (l *link) accept(ctx context.Context) {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		if m, _ := l.now(); m.refuse {
			_ = near.Close()
			continue
		}
		l.carrying.Go(func() { l.join(ctx, near) })
	}
}

// join carries a connection until either end closes it.
func (l *link) join(ctx context.Context, near net.Conn) {
	far, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "tcp", l.to)
	if err != nil {
		_ = near.Close()
		return
	}
	l.keep(near, far)
	defer l.drop(near, far)
	var both sync.WaitGroup
	both.Go(func() { l.carry(far, near, false) })
	both.Go(func() { l.carry(near, far, true) })
	both.Wait()
}

func (l *link) keep(conns ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		l.conns[c] = true
		if l.closed || l.mode.refuse {
			_ = c.Close()
		}
	}
}

func (l *link) drop(conns ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(l.conns, c)
	}
}

// carry brings what one end says to the other. answers: it is the far end that speaks.
func (l *link) carry(to, from net.Conn, answers bool) {
	defer func() {
		_ = to.Close()
		_ = from.Close()
	}()
	piece := make([]byte, 32<<10)
	for {
		n, err := from.Read(piece)
		if n > 0 && !l.pass(to, piece[:n], answers) {
			return
		}
		if err != nil {
			return
		}
	}
}

// pass writes a piece when the mode lets it; false when the connection is over.
func (l *link) pass(to net.Conn, piece []byte, answers bool) bool {
	for {
		m, changed := l.now()
		switch {
		case m.refuse:
			return false
		case m.hold:
			<-changed
			continue
		case m.swallow && answers:
			l.lost.Add(int64(len(piece)))
			return true
		case m.delay > 0:
			select {
			case <-time.After(m.delay):
			case <-changed:
			}
		}
		_, err := to.Write(piece)
		return err == nil
	}
}
