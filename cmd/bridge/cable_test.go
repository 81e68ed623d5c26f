package main

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"sync"
	"time"
)

// A cable is the network between one bridge and NATS, in a test's hands. It takes what is sent as a kernel does: no
// writer waits for the reader. What is held is late, not lost, and comes even when its sender has given up.
type cable struct {
	server func() (net.Conn, error)

	mu       sync.Mutex
	moved    *sync.Cond
	holds    int // while there are any, nothing gets through
	down     int // while above 0, there is no connection
	deaf     int // while above 0, what the server says is thrown away
	wires    map[*wire]bool
	traps    []*trap
	lostAcks int // of events, that were thrown away
}

// A wire is one connection over a cable.
type wire struct {
	*cable
	bridge, server net.Conn
	cut            bool // by the test
	greeted        bool // until then nothing is held: a client that connects holds its locks, and time would stand still
}

func newCable(server func() (net.Conn, error)) *cable {
	c := &cable{server: server, wires: map[*wire]bool{}}
	c.moved = sync.NewCond(&c.mu)
	return c
}

// Dial connects the bridge.
func (c *cable) Dial(_, _ string) (net.Conn, error) {
	c.mu.Lock()
	open := c.down == 0 && c.holds == 0 && c.deaf == 0
	c.mu.Unlock()
	if !open {
		return nil, errors.New("no route to host")
	}
	server, err := c.server()
	if err != nil {
		return nil, err
	}
	near, far := net.Pipe()
	w := &wire{cable: c, bridge: far, server: server}
	c.mu.Lock()
	c.wires[w] = true
	c.mu.Unlock()
	go w.carry(far, server, w.sent)
	go w.carry(server, far, w.answered)
	return near, nil
}

// carry brings what one end writes to the other, until one of them closes or the wire is cut.
func (w *wire) carry(from, to net.Conn, pass func([]byte) []byte) {
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
			w.moved.Broadcast()
			w.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	for {
		w.mu.Lock()
		for !w.cut && (w.greeted && w.holds > 0 || len(queue) == 0 && !ended) {
			w.moved.Wait()
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
			delete(w.wires, w)
			w.mu.Unlock()
			return
		}
	}
}

// sent looks at what the bridge says.
func (w *wire) sent(chunk []byte) []byte {
	if !bytes.Contains(chunk, []byte("HPUB mkio.")) {
		return chunk
	}
	w.mu.Lock()
	var sprung []*trap
	if len(w.traps) > 0 {
		sprung, w.traps = w.traps[:1], w.traps[1:]
	}
	w.mu.Unlock()
	for _, t := range sprung {
		t.spring()
		close(t.sprung)
	}
	return chunk
}

// answered looks at what the server says.
func (w *wire) answered(chunk []byte) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.greeted || w.deaf == 0 {
		w.greeted = w.greeted || bytes.Contains(chunk, []byte("PONG"))
		return chunk
	}
	w.lostAcks += bytes.Count(chunk, []byte(`{"stream":"MKIO_EVENTS","seq":`))
	return nil
}

// takeLostAcks returns how many acknowledgements of events were thrown away.
func (c *cable) takeLostAcks() (lost int) {
	c.change(func() { lost, c.lostAcks = c.lostAcks, 0 })
	return lost
}

// hold holds all that is sent, both ways, until it is released.
func (c *cable) hold()    { c.change(func() { c.holds++ }) }
func (c *cable) release() { c.change(func() { c.holds-- }) }

// deafen throws away what the server says from now on.
func (c *cable) deafen() { c.change(func() { c.deaf++ }) }
func (c *cable) listen() { c.change(func() { c.deaf-- }) }

// cut ends all connections, with what is under way on them, and there are no new ones until it is mended.
func (c *cable) cut() {
	c.change(func() {
		c.down++
		for w := range c.wires {
			w.cut = true
		}
	})
}
func (c *cable) mend() { c.change(func() { c.down-- }) }

func (c *cable) change(what func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	what()
	c.moved.Broadcast()
}

// A trap is something to be done when an event is being published.
type trap struct {
	spring func()
	sprung chan struct{}
}

// atNextEvent has something done when the next event is being published and has not got anywhere yet. It says
// whether that happened within a while.
func (c *cable) atNextEvent(within time.Duration, what func()) bool {
	t := &trap{what, make(chan struct{})}
	c.change(func() { c.traps = append(c.traps, t) })
	select {
	case <-t.sprung:
		return true
	case <-time.After(within):
	}
	set := 0
	c.change(func() {
		set = len(c.traps)
		c.traps = slices.DeleteFunc(c.traps, func(other *trap) bool { return other == t })
		set -= len(c.traps)
	})
	if set == 0 {
		<-t.sprung // at this very moment
	}
	return set == 0
}
