package main

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"sync"
	"time"
)

// A link is the simulated network between one bridge and NATS. It buffers data as a kernel does: no writer waits for the
// reader. Data on a paused link is delayed, not lost, and arrives even after its sender has given up.
type link struct {
	server func() (net.Conn, error)

	mu       sync.Mutex
	changed  *sync.Cond
	paused   int // while above 0, data in both directions waits
	down     int // while above 0, there is no connection
	dropping int // while above 0, data from the server is discarded
	conns    map[*linkConn]bool
	hooks    []*publishHook
	lostAcks int // discarded acknowledgements of events
}

// A linkConn is one connection over a link.
type linkConn struct {
	*link
	bridge, server net.Conn
	cut            bool // by link.cut
	connected      bool // until then nothing waits: a connecting client holds locks, which would block the bubble's clock
}

func newLink(server func() (net.Conn, error)) *link {
	c := &link{server: server, conns: map[*linkConn]bool{}}
	c.changed = sync.NewCond(&c.mu)
	return c
}

// Dial connects the bridge. It fails while the link is down, paused or dropping replies.
func (c *link) Dial(_, _ string) (net.Conn, error) {
	c.mu.Lock()
	open := c.down == 0 && c.paused == 0 && c.dropping == 0
	c.mu.Unlock()
	if !open {
		return nil, errors.New("no route to host")
	}
	server, err := c.server()
	if err != nil {
		return nil, err
	}
	near, far := net.Pipe()
	w := &linkConn{link: c, bridge: far, server: server}
	c.mu.Lock()
	c.conns[w] = true
	c.mu.Unlock()
	go w.forward(far, server, w.fromBridge)
	go w.forward(server, far, w.fromServer)
	return near, nil
}

// forward copies data from one end to the other, until one of them closes or the link is cut.
func (w *linkConn) forward(from, to net.Conn, pass func([]byte) []byte) {
	var queue []byte
	ended := false
	go func() {
		chunk := make([]byte, 32<<10)
		for {
			n, err := from.Read(chunk)
			taken := pass(chunk[:n])
			w.mu.Lock()
			queue = append(queue, taken...)
			ended = err != nil
			w.changed.Broadcast()
			w.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	for {
		w.mu.Lock()
		for !w.cut && (w.connected && w.paused > 0 || len(queue) == 0 && !ended) {
			w.changed.Wait()
		}
		chunk := queue
		queue = nil
		cut := w.cut
		w.mu.Unlock()
		if !cut && len(chunk) > 0 {
			_, err := to.Write(chunk)
			cut = err != nil
		}
		if cut || len(chunk) == 0 {
			_ = from.Close() // they are pipes
			_ = to.Close()
			w.mu.Lock()
			delete(w.conns, w)
			w.mu.Unlock()
			return
		}
	}
}

// fromBridge runs the first hook when the data publishes an event.
func (w *linkConn) fromBridge(chunk []byte) []byte {
	if !bytes.Contains(chunk, []byte("HPUB mkio.")) {
		return chunk
	}
	w.mu.Lock()
	var fired []*publishHook
	if len(w.hooks) > 0 {
		fired, w.hooks = w.hooks[:1], w.hooks[1:]
	}
	w.mu.Unlock()
	for _, t := range fired {
		t.run()
		close(t.done)
	}
	return chunk
}

// fromServer counts and discards the data while the link drops replies.
func (w *linkConn) fromServer(chunk []byte) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.connected || w.dropping == 0 {
		w.connected = w.connected || bytes.Contains(chunk, []byte("PONG"))
		return chunk
	}
	w.lostAcks += bytes.Count(chunk, []byte(`{"stream":"MKIO_EVENTS","seq":`))
	return nil
}

// takeLostAcks returns the number of discarded acknowledgements of events, and resets it.
func (c *link) takeLostAcks() (lost int) {
	c.change(func() { lost, c.lostAcks = c.lostAcks, 0 })
	return lost
}

// pause delays all data, in both directions, until resume.
func (c *link) pause()  { c.change(func() { c.paused++ }) }
func (c *link) resume() { c.change(func() { c.paused-- }) }

// dropReplies discards data from the server until passReplies.
func (c *link) dropReplies() { c.change(func() { c.dropping++ }) }
func (c *link) passReplies() { c.change(func() { c.dropping-- }) }

// cut closes all connections with their data in flight, and refuses new ones until restore.
func (c *link) cut() {
	c.change(func() {
		c.down++
		for w := range c.conns {
			w.cut = true
		}
	})
}
func (c *link) restore() { c.change(func() { c.down-- }) }

func (c *link) change(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
	c.changed.Broadcast()
}

// A publishHook runs when an event is being published.
type publishHook struct {
	run  func()
	done chan struct{}
}

// onNextPublish calls do when the next event is being published and has not reached the server yet. It reports whether that
// happened within the given time.
func (c *link) onNextPublish(within time.Duration, do func()) bool {
	t := &publishHook{do, make(chan struct{})}
	c.change(func() { c.hooks = append(c.hooks, t) })
	select {
	case <-t.done:
		return true
	case <-time.After(within):
	}
	set := 0
	c.change(func() {
		set = len(c.hooks)
		c.hooks = slices.DeleteFunc(c.hooks, func(other *publishHook) bool { return other == t })
		set -= len(c.hooks)
	})
	if set == 0 {
		<-t.done // it is running
	}
	return set == 0
}
