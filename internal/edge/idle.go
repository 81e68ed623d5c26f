package edge

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// idleConns are the connections of a [Listener] on which no request is in flight, the longest idle one first. Browsers keep up to
// six of them open per page, for minutes: without a limit, they would use all slots, and the next health check would wait.
type idleConns struct {
	mu      sync.Mutex
	conns   list.List // of *conn
	waiting bool      // Accept waits for a slot
}

// ConnState is for [http.Server.ConnState]. With it a listener without a free slot closes the connection that is idle for the
// longest time. Clients send a request again, on another connection, if an idle one was closed meanwhile.
func (l *Listener) ConnState(raw net.Conn, state http.ConnState) {
	c, ok := raw.(*conn)
	if !ok {
		return
	}
	if state == http.StateIdle {
		l.idle.add(c)
		return
	}
	l.idle.remove(c)
}

func (i *idleConns) add(c *conn) {
	i.mu.Lock()
	defer i.mu.Unlock()
	c.idle = i.conns.PushBack(c)
	if i.waiting {
		i.closeOldest()
	}
}

func (i *idleConns) remove(c *conn) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.drop(c)
}

// wait says whether Accept waits for a slot. If it does, an idle connection gives it up: now, or as soon as there is one.
func (i *idleConns) wait(waits bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.waiting = waits; waits {
		i.closeOldest()
	}
}

// closeOldest closes the connection that is idle for the longest time, if there is one. mu is held.
func (i *idleConns) closeOldest() {
	if oldest := i.conns.Front(); oldest != nil {
		i.waiting = false
		c := oldest.Value.(*conn)
		i.drop(c)
		_ = c.Close() // net/http, which reads from it, ends
	}
}

// drop removes a connection from the list. mu is held.
func (i *idleConns) drop(c *conn) {
	if c.idle != nil {
		i.conns.Remove(c.idle)
		c.idle = nil
	}
}
