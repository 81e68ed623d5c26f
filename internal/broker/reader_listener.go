package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"golang.org/x/time/rate"
)

// A readersPort is the listener for readers. It carries each connection to the server inside the process, and so can
// do what the server would not: it counts readers apart from the bridge's own connections, reads no faster than they
// may ask, and ends the connection of who does not read.
type readersPort struct {
	net.Listener
	server  *server.Server
	log     *slog.Logger
	warn    rate.Sometimes
	inbound *rate.Limiter // of all readers together
	places  int

	refusing chan struct{}

	ctx   context.Context
	stop  context.CancelFunc
	going sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// openPort listens, and carries until it is closed.
func openPort(s *server.Server, addr string, places int, log *slog.Logger) (*readersPort, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, portInUse(addr, err)
	}
	p := &readersPort{
		Listener: l, server: s, log: log, warn: rate.Sometimes{Interval: time.Minute}, places: places,
		inbound: rate.NewLimiter(readersInbound, readersInbound), conns: map[net.Conn]bool{}, refusing: make(chan struct{}, mostRefusals),
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.going.Go(p.accept)
	return p, nil
}

// acceptPause is for who cannot accept, which is for want of files.
const acceptPause = 50 * time.Millisecond

func (p *readersPort) accept() {
	for {
		conn, err := p.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			p.warn.Do(func() { p.log.Warn("the readers' port cannot take a connection", "error", err) })
			time.Sleep(acceptPause)
		case !p.enter(conn):
			p.refuse(conn)
		default:
			p.going.Go(func() { p.carry(conn) })
		}
	}
}

// enter gives a connection a place, if there is one.
func (p *readersPort) enter(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.conns) >= p.places || p.ctx.Err() != nil {
		return false
	}
	p.conns[conn] = true
	return true
}

func (p *readersPort) leave(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, conn)
}

// open is how many readers are connected.
func (p *readersPort) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

// refuse says why, as a NATS server does, and gives a few at a time the moment to hear it.
func (p *readersPort) refuse(conn net.Conn) {
	p.warn.Do(func() {
		p.log.Warn("as many readers are connected as may be; another one was refused", "most", p.places, "remote", conn.RemoteAddr().String())
	})
	select {
	case p.refusing <- struct{}{}:
	default:
		_ = conn.Close() // it may be gone already
		return
	}
	p.going.Go(func() {
		defer func() { <-p.refusing }()
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(refuseTime))
		_, _ = fmt.Fprintf(conn, "INFO {\"server_name\":%q,\"version\":%q,\"max_payload\":0}\r\n-ERR 'maximum connections exceeded'\r\n", serverName, server.VERSION)
		_, _ = conn.Read(make([]byte, 1<<10)) // a client listens when it has said who it is
	})
}

// Limits of refusing.
const (
	mostRefusals = 8
	refuseTime   = 500 * time.Millisecond
)

// carry carries what a connection and the server say to each other, until one of them ends it.
func (p *readersPort) carry(conn net.Conn) {
	defer p.leave(conn)
	defer func() { _ = conn.Close() }()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(readerBuffer) // the kernel's memory is the container's as well
	}
	inside, err := p.server.InProcessConn()
	if err != nil {
		return // the server stops
	}
	defer func() { _ = inside.Close() }()
	defer context.AfterFunc(p.ctx, func() { _, _ = conn.Close(), inside.Close() })()
	var asking sync.WaitGroup
	defer asking.Wait()
	asking.Go(func() {
		p.ask(inside, conn)
		_, _ = conn.Close(), inside.Close()
	})
	p.answer(conn, inside)
	_, _ = conn.Close(), inside.Close()
}

// ask carries a reader's words to the server, as fast as they may come.
func (p *readersPort) ask(to io.Writer, from io.Reader) {
	own := rate.NewLimiter(readerInbound, readerInbound)
	words := make([]byte, inboundChunk)
	for {
		n, err := from.Read(words)
		if n > 0 {
			if own.WaitN(p.ctx, n) != nil || p.inbound.WaitN(p.ctx, n) != nil {
				return
			}
			if _, err := to.Write(words[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// answer carries the server's words to a reader, who must take them in time.
func (p *readersPort) answer(to net.Conn, from io.Reader) {
	words := make([]byte, readerChunk)
	for {
		n, err := from.Read(words)
		if n > 0 {
			_ = to.SetWriteDeadline(time.Now().Add(readerWrite))
			if _, err := to.Write(words[:n]); err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					p.cut("it takes nothing", n, "remote", to.RemoteAddr().String())
				}
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// cut says that a reader is disconnected. Anybody may cause it, so that a line a minute is a warning.
func (p *readersPort) cut(why string, waiting int, more ...any) {
	level := slog.LevelDebug
	p.warn.Do(func() { level = slog.LevelWarn })
	p.log.Log(p.ctx, level, "a reader does not read and was disconnected", append([]any{"why", why, "bytes", waiting}, more...)...)
}

// Close ends all connections, and waits.
func (p *readersPort) Close() error {
	p.stop()
	err := p.Listener.Close()
	p.going.Wait()
	return err
}
