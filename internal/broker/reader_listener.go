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

// A readerListener is the listener for readers. It proxies each connection to the server in the process, to do what the
// server does not: it limits readers separately from the bridge's own connections, limits the rate at which it reads from
// them, and disconnects readers that do not read.
type readerListener struct {
	net.Listener
	server   *server.Server
	log      *slog.Logger
	warnRate rate.Sometimes
	inbound  *rate.Limiter // of all readers together, in bytes
	maxConns int

	refusals chan struct{}

	ctx        context.Context
	stop       context.CancelFunc
	goroutines sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// listenForReaders opens the listener, and serves it until it is closed.
func listenForReaders(s *server.Server, addr string, maxConns int, log *slog.Logger) (*readerListener, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, listenError(addr, err)
	}
	p := &readerListener{
		Listener: l, server: s, log: log, warnRate: rate.Sometimes{Interval: time.Minute}, maxConns: maxConns,
		inbound: rate.NewLimiter(readersInboundRate, readersInboundRate), conns: map[net.Conn]bool{}, refusals: make(chan struct{}, maxRefusals),
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.goroutines.Go(p.accept)
	return p, nil
}

// acceptPause is the pause after a failed accept, for example at the open-file limit.
const acceptPause = 50 * time.Millisecond

func (p *readerListener) accept() {
	for {
		conn, err := p.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			p.warnRate.Do(func() { p.log.Warn("reader connection cannot be accepted", "error", err) })
			time.Sleep(acceptPause)
		case !p.add(conn):
			p.refuse(conn)
		default:
			p.goroutines.Go(func() { p.proxy(conn) })
		}
	}
}

// add registers a connection, and reports whether the limit allows it.
func (p *readerListener) add(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.conns) >= p.maxConns || p.ctx.Err() != nil {
		return false
	}
	p.conns[conn] = true
	return true
}

func (p *readerListener) remove(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, conn)
}

// count returns the number of connected readers.
func (p *readerListener) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

// refuse closes a connection over the limit. It sends the error that a NATS server sends, to a few connections at a time.
func (p *readerListener) refuse(conn net.Conn) {
	p.warnRate.Do(func() {
		p.log.Warn("reader refused: too many are connected", "most", p.maxConns, "remote", conn.RemoteAddr().String())
	})
	select {
	case p.refusals <- struct{}{}:
	default:
		_ = conn.Close() // closed also on an error
		return
	}
	p.goroutines.Go(func() {
		defer func() { <-p.refusals }()
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(refuseTimeout))
		_, _ = fmt.Fprintf(conn, "INFO {\"server_name\":%q,\"version\":%q,\"max_payload\":0}\r\n-ERR 'maximum connections exceeded'\r\n", serverName, server.VERSION)
		_, _ = conn.Read(make([]byte, 1<<10)) // a client reads after it has sent CONNECT
	})
}

// Limits of refusals.
const (
	maxRefusals   = 8
	refuseTimeout = 500 * time.Millisecond
)

// proxy copies data between a connection and the server, until one of them closes.
func (p *readerListener) proxy(conn net.Conn) {
	defer p.remove(conn)
	defer func() { _ = conn.Close() }()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(readerSendBuffer) // counts towards the container's memory
	}
	inside, err := p.server.InProcessConn()
	if err != nil {
		return // the server is stopping
	}
	defer func() { _ = inside.Close() }()
	defer context.AfterFunc(p.ctx, func() { _, _ = conn.Close(), inside.Close() })()
	var inbound sync.WaitGroup
	defer inbound.Wait()
	inbound.Go(func() {
		p.copyInbound(inside, conn)
		_, _ = conn.Close(), inside.Close()
	})
	p.copyOutbound(conn, inside)
	_, _ = conn.Close(), inside.Close()
}

// copyInbound copies a reader's data to the server, at most at the allowed rates.
func (p *readerListener) copyInbound(to io.Writer, from io.Reader) {
	own := rate.NewLimiter(readerInboundRate, readerInboundRate)
	buffer := make([]byte, inboundChunk)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if own.WaitN(p.ctx, n) != nil || p.inbound.WaitN(p.ctx, n) != nil {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// copyOutbound copies the server's data to a reader, which must read within readerWriteTimeout.
func (p *readerListener) copyOutbound(to net.Conn, from io.Reader) {
	buffer := make([]byte, writeChunk)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			_ = to.SetWriteDeadline(time.Now().Add(readerWriteTimeout))
			if _, err := to.Write(buffer[:n]); err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					p.logDisconnect("reads nothing", n, "remote", to.RemoteAddr().String())
				}
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// logDisconnect logs that a stalled reader is disconnected. Anybody may cause it, so only one line per minute is a warning.
func (p *readerListener) logDisconnect(why string, waiting int, more ...any) {
	level := slog.LevelDebug
	p.warnRate.Do(func() { level = slog.LevelWarn })
	p.log.Log(p.ctx, level, "stalled reader disconnected", append([]any{"why", why, "bytes", waiting}, more...)...)
}

// Close closes all connections, and waits for their goroutines.
func (p *readerListener) Close() error {
	p.stop()
	err := p.Listener.Close()
	p.goroutines.Wait()
	return err
}
