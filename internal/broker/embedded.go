package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats-server/v2/server/ats"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// EmbeddedConfig is a server of our own.
type EmbeddedConfig struct {
	StoreDir     string
	Listen       string // host:port of the readers' port; "": none; port 0: any that is free
	SyncAlways   bool   // an acknowledged message is on disk
	SyncInterval time.Duration
	ReadSubjects []string // what readers may subscribe to
	Log          *slog.Logger
}

// Embedded is a running server.
type Embedded struct {
	server *server.Server
	log    *slog.Logger
	owner  nkeys.KeyPair // what lets the bridge in, and nobody else: it is of this process alone
	lock   *os.File
	stop   sync.Once
}

const (
	ownerInbox  = "_INBOX_BRIDGE" // readers see _INBOX
	readyWithin = 30 * time.Second
	maxMemory   = 64 << 20 // bytes for streams in memory: the bridge has none
)

// Start starts a server on a store directory, which it makes or reopens. When it returns, the server
// takes requests.
func Start(c EmbeddedConfig) (*Embedded, error) {
	lock, err := lockStore(c.StoreDir)
	if err != nil {
		return nil, err
	}
	e := &Embedded{log: c.Log, lock: lock}
	if e.owner, err = nkeys.CreateUser(); err == nil {
		err = e.start(c)
	}
	if err != nil {
		e.Shutdown()
		return nil, err
	}
	return e, nil
}

func (e *Embedded) start(c EmbeddedConfig) error {
	options, err := e.options(c)
	if err != nil {
		return err
	}
	if e.server, err = server.NewServer(options); err != nil {
		return fmt.Errorf("embedded NATS server: %w", err)
	}
	log := &serverLog{log: c.Log, failed: make(chan string, 1)}
	e.server.SetLoggerV2(log, false, false, false)
	go e.server.Start() // it may wait for ever behind a failure that it only logs
	return e.awaitReady(c, log)
}

// awaitReady waits until the server serves, or logs why it does not.
func (e *Embedded) awaitReady(c EmbeddedConfig, log *serverLog) error {
	ready := make(chan bool, 1)
	go func() { ready <- e.server.ReadyForConnections(readyWithin) }()
	select {
	case reason := <-log.failed:
		if strings.Contains(reason, "listening on port") {
			return portInUse(c.Listen, errors.New(reason))
		}
		return fmt.Errorf("embedded NATS server did not start on BRIDGE_STORE_DIR %s: %s", c.StoreDir, reason)
	case ok := <-ready:
		if !ok {
			return fmt.Errorf("embedded NATS server was not ready within %s", readyWithin)
		}
	}
	select {
	case reason := <-log.failed:
		return fmt.Errorf("embedded NATS server did not start on BRIDGE_STORE_DIR %s: %s", c.StoreDir, reason)
	default:
		return nil
	}
}

// options are the server's.
func (e *Embedded) options(c EmbeddedConfig) (*server.Options, error) {
	owner, err := e.owner.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	o := &server.Options{}
	if err := o.ProcessConfigString(accounts(owner, c.ReadSubjects)); err != nil {
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	o.ServerName = "mkio-bridge"
	o.NoSigs = true // or it would end our process
	o.JetStream = true
	o.StoreDir = c.StoreDir
	o.JetStreamMaxMemory = maxMemory
	o.SyncAlways = c.SyncAlways
	o.SyncInterval = c.SyncInterval
	o.DontListen = c.Listen == ""
	if o.DontListen {
		return o, nil
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("BRIDGE_NATS_LISTEN %q: %w", c.Listen, err)
	}
	o.Host = host
	if o.Port, err = strconv.Atoi(port); err != nil {
		return nil, fmt.Errorf("BRIDGE_NATS_LISTEN %q: %w", c.Listen, err)
	}
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
		return o, nil
	}
	// The server only logs that its port is taken; this asks first.
	probe, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", c.Listen)
	if err != nil {
		return nil, portInUse(c.Listen, err)
	}
	return o, probe.Close()
}

func portInUse(addr string, err error) error {
	return fmt.Errorf("the embedded NATS server cannot listen on %s: %w (choose another BRIDGE_NATS_LISTEN, or set it empty for none)", addr, err)
}

// Connect opens a connection inside the process, as the owner of the streams.
func (e *Embedded) Connect() (*nats.Conn, error) {
	owner, err := e.owner.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	options := append(resilience(e.log), nats.Name("mkio-bridge"), nats.InProcessServer(e.server),
		nats.Nkey(owner, e.owner.Sign), nats.CustomInboxPrefix(ownerInbox))
	nc, err := nats.Connect("", options...)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	return nc, nil
}

// Addr is the address of the readers' port; "" when there is none.
func (e *Embedded) Addr() string {
	if addr := e.server.Addr(); addr != nil {
		return addr.String()
	}
	return ""
}

// Shutdown stops the server, waits for it and lets go of the store. It may be called again.
func (e *Embedded) Shutdown() {
	e.stop.Do(func() {
		if e.server != nil {
			e.server.Shutdown()
			e.server.WaitForShutdown()
		}
		_ = e.lock.Close() // it lets go of the lock, whatever it says
	})
}

// HoldClock keeps a goroutine that all servers of a process share out of a testing/synctest bubble: it
// is called before the bubble, and release after it. Without it time stands still in the bubble.
func HoldClock() (release func()) {
	ats.Register()
	return ats.Unregister
}
