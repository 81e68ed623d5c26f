package broker

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"net"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// EmbeddedConfig configures an embedded server.
type EmbeddedConfig struct {
	StoreDir     string
	Listen       string // host:port for readers; "": none; port 0: any free port
	SyncAlways   bool   // an acknowledged message is on disk
	SyncInterval time.Duration
	ReaderToken  func() string // returns the readers' token, called at each connect; nil: they need none
	ReadSubjects []string      // subjects of messages that readers may subscribe to
	MaxReaders   int           // maximum number of connections; 0: [MaxReaders]
	HiddenHeader string        // messages with this header are not relayed to readers; "": all are relayed
	Log          *slog.Logger
}

// Embedded is a running server.
type Embedded struct {
	server       *server.Server
	log          *slog.Logger
	storeFailed  chan error
	lock         *flock.Flock
	shutdownOnce sync.Once

	stopped chan struct{} // closed when the server has stopped

	owner, relayUser nkeyUser // of the bridge, in its own account and in the readers'
	relay            []*nats.Conn
	listener         *readerListener // nil: no client port
	proxy            *requestProxy   // of readers' requests
	watching         sync.WaitGroup
	stopWatching     context.CancelFunc
}

const (
	serverName     = "mkio-bridge"
	ownerInbox     = "_INBOX_BRIDGE" // readers can subscribe to _INBOX
	readyTimeout   = 5 * time.Second // after Start of the server has returned
	maxMemory      = 64 << 20        // bytes for memory streams: the progress of jobs is one
	infoQueueLimit = 256             // maximum queued info requests: one may take tens of milliseconds, and readers may send any number
)

// Start starts a server on a store directory, which it creates if missing. When it returns, the server accepts requests.
func Start(c EmbeddedConfig) (*Embedded, error) {
	lock, err := lockStore(c.StoreDir)
	if err != nil {
		return nil, err
	}
	e := &Embedded{log: c.Log, lock: lock, storeFailed: make(chan error, 1), stopped: make(chan struct{})}
	if err := e.start(c); err != nil {
		e.Shutdown()
		return nil, err
	}
	return e, nil
}

func (e *Embedded) start(c EmbeddedConfig) (err error) {
	if e.owner, err = newNkeyUser(); err != nil {
		return fmt.Errorf("embedded NATS server: %w", err)
	}
	if e.relayUser, err = newNkeyUser(); err != nil {
		return fmt.Errorf("embedded NATS server: %w", err)
	}
	options, err := e.options(c)
	if err != nil {
		return err
	}
	if e.server, err = server.NewServer(options); err != nil {
		return fmt.Errorf("embedded NATS server: %w", err)
	}
	log := newServerLog(c.Log, e.storeFailed)
	e.server.SetLoggerV2(log, false, false, false)
	e.server.Start() // as long as it takes to recover the streams
	if reason := log.failed.Load(); reason != nil {
		return SettingError{StoreDir, fmt.Errorf("embedded NATS server did not start on %s: %s", c.StoreDir, *reason)}
	}
	if !e.server.ReadyForConnections(readyTimeout) {
		return fmt.Errorf("embedded NATS server was not ready within %s", readyTimeout)
	}
	if c.Listen == "" {
		return nil
	}
	return e.openReaders(c)
}

// openReaders starts the relay, the request proxy, the listener and the watcher of readers.
func (e *Embedded) openReaders(c EmbeddedConfig) (err error) {
	maxReaders := min(cmp.Or(c.MaxReaders, MaxReaders), MaxReaders)
	if err := e.openRelay(c.ReadSubjects, c.HiddenHeader); err != nil {
		return err
	}
	if e.proxy, err = e.openRequestProxy(); err != nil {
		return err
	}
	if e.listener, err = listenForReaders(e.server, c.Listen, maxReaders, c.Log); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	e.stopWatching = cancel
	e.watching.Go(func() { e.watchReaders(ctx) })
	return nil
}

// options returns the server's options.
func (e *Embedded) options(c EmbeddedConfig) (*server.Options, error) {
	reader, err := newNkeyUser()
	if err != nil {
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	o := &server.Options{}
	if err := o.ProcessConfigString(accounts(e.owner, e.relayUser, reader, c.ReadSubjects)); err != nil {
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	o.ServerName = serverName
	o.NoSigs = true // otherwise the server handles signals, and exits the process
	o.JetStream = true
	o.StoreDir = c.StoreDir
	o.JetStreamMaxMemory = maxMemory
	o.JetStreamInfoQueueLimit = infoQueueLimit
	// The disk is the limit. The server's default is a share of the free space at its start: on a disk that is full then, it
	// would stay 0.
	o.JetStreamMaxStore = math.MaxInt64
	o.SyncAlways = c.SyncAlways
	o.SyncInterval = c.SyncInterval
	o.MaxPending = maxPending
	o.MaxSubs = maxSubscriptions
	o.DontListen = true // [readersPort] does
	e.configureReaderAuth(o, reader, c.ReaderToken)
	return o, checkListen(c.Listen)
}

// configureReaderAuth configures how readers authenticate: with the token if there is one, else not at all.
func (e *Embedded) configureReaderAuth(o *server.Options, reader nkeyUser, token func() string) {
	if token == nil {
		o.NoAuthUser = reader.public
		return
	}
	auth := newAuthenticator(o.Nkeys, reader, token)
	auth.account = func(name string) (*server.Account, error) { return e.server.LookupAccount(name) }
	o.CustomClientAuthentication = auth
	o.AlwaysEnableNonce = true // the bridge's own connections sign it
}

// checkListen checks that the port is free, before anything is started.
func checkListen(addr string) error {
	if addr == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return SettingError{Listen, fmt.Errorf("%q: %w", addr, err)}
	}
	probe, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return listenError(addr, err)
	}
	return probe.Close()
}

func listenError(addr string, err error) error {
	return SettingError{Listen, fmt.Errorf("embedded NATS server cannot listen on %s: %w", addr, err)}
}

// Connect opens an in-process connection, as the owner of the streams.
func (e *Embedded) Connect() (*nats.Conn, error) {
	return e.connect(e.owner, nats.CustomInboxPrefix(ownerInbox))
}

func (e *Embedded) connect(as nkeyUser, more ...nats.Option) (*nats.Conn, error) {
	options := append(connectionOptions(e.log), nats.Name("mkio-bridge"), nats.InProcessServer(e.server), nats.Nkey(as.public, as.key.Sign))
	nc, err := nats.Connect("", append(options, more...)...)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	return nc, nil
}

// Addr returns the listen address for readers; "" if there is none.
func (e *Embedded) Addr() string {
	if e.listener == nil {
		return ""
	}
	return e.listener.Addr().String()
}

// Readers returns the number of connected readers.
func (e *Embedded) Readers() int { return e.listener.count() }

// Sync returns how the running server syncs its files: always before it acknowledges a message, or at an interval.
func (e *Embedded) Sync() (always bool, interval time.Duration) {
	c := e.server.JetStreamConfig()
	return c.SyncAlways, c.SyncInterval
}

// StoreFailed receives one error when the store can no longer be written: the server must be restarted after a repair.
func (e *Embedded) StoreFailed() <-chan error { return e.storeFailed }

// closeReaders stops what openReaders started.
func (e *Embedded) closeReaders() {
	if e.stopWatching != nil {
		e.stopWatching()
		e.watching.Wait()
	}
	if e.listener != nil {
		_ = e.listener.Close() // closed also on an error
	}
	if e.proxy != nil {
		e.proxy.close()
	}
	e.closeRelay()
}
