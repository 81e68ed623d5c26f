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

// EmbeddedConfig is a server of our own.
type EmbeddedConfig struct {
	StoreDir     string
	Listen       string // host:port of the readers' port; "": none; port 0: any that is free
	SyncAlways   bool   // an acknowledged message is on disk
	SyncInterval time.Duration
	ReaderToken  func() string // lets readers in, asked at each connect; nil: they need none
	ReadSubjects []string      // what readers may subscribe to
	Readers      int           // how many may be connected; 0: [MostReaders]
	Unseen       string        // a header of messages that readers need not see as they are published; "": they see all
	Log          *slog.Logger
}

// Embedded is a running server.
type Embedded struct {
	server *server.Server
	log    *slog.Logger
	broken chan error
	lock   *flock.Flock
	stop   sync.Once

	stopped chan struct{} // closed when the server has stopped

	owner, carrier pass // of the bridge, and of its tap among the readers
	tap            []*nats.Conn
	port           *readersPort // nil: none
	porter         *porter      // of the readers
	watching       sync.WaitGroup
	unwatch        context.CancelFunc
}

const (
	serverName  = "mkio-bridge"
	ownerInbox  = "_INBOX_BRIDGE" // readers see _INBOX
	readyWithin = 5 * time.Second // after its start has returned
	maxMemory   = 64 << 20        // bytes for streams in memory: the bridge has none
	infoQueue   = 256             // requests that only inform and wait: one may take tens of milliseconds, and readers send as many as they like
)

// Start starts a server on a store directory, which it makes or reopens. When it returns, the server
// takes requests.
func Start(c EmbeddedConfig) (*Embedded, error) {
	lock, err := lockStore(c.StoreDir)
	if err != nil {
		return nil, err
	}
	e := &Embedded{log: c.Log, lock: lock, broken: make(chan error, 1), stopped: make(chan struct{})}
	if err := e.start(c); err != nil {
		e.Shutdown()
		return nil, err
	}
	return e, nil
}

func (e *Embedded) start(c EmbeddedConfig) (err error) {
	if e.owner, err = newPass(); err != nil {
		return fmt.Errorf("embedded NATS server: %w", err)
	}
	if e.carrier, err = newPass(); err != nil {
		return fmt.Errorf("embedded NATS server: %w", err)
	}
	options, err := e.options(c)
	if err != nil {
		return err
	}
	if e.server, err = server.NewServer(options); err != nil {
		return fmt.Errorf("embedded NATS server: %w", err)
	}
	log := newServerLog(c.Log, e.broken)
	e.server.SetLoggerV2(log, false, false, false)
	e.server.Start() // as long as it takes to recover the streams
	if reason := log.failed.Load(); reason != nil {
		return SettingError{StoreDir, fmt.Errorf("embedded NATS server did not start on %s: %s", c.StoreDir, *reason)}
	}
	if !e.server.ReadyForConnections(readyWithin) {
		return fmt.Errorf("embedded NATS server was not ready within %s", readyWithin)
	}
	if c.Listen == "" {
		return nil
	}
	return e.letReaders(c)
}

// letReaders opens all that readers have.
func (e *Embedded) letReaders(c EmbeddedConfig) (err error) {
	most := min(cmp.Or(c.Readers, MostReaders), MostReaders)
	if err := e.openTap(c.ReadSubjects, c.Unseen); err != nil {
		return err
	}
	if e.porter, err = e.openPorter(); err != nil {
		return err
	}
	if e.port, err = openPort(e.server, c.Listen, most, c.Log); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	e.unwatch = cancel
	e.watching.Go(func() { e.watchReaders(ctx) })
	return nil
}

// options are the server's.
func (e *Embedded) options(c EmbeddedConfig) (*server.Options, error) {
	reader, err := newPass()
	if err != nil {
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	o := &server.Options{}
	if err := o.ProcessConfigString(accounts(e.owner, e.carrier, reader, c.ReadSubjects)); err != nil {
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	o.ServerName = serverName
	o.NoSigs = true // or it would end our process
	o.JetStream = true
	o.StoreDir = c.StoreDir
	o.JetStreamMaxMemory = maxMemory
	o.JetStreamInfoQueueLimit = infoQueue
	// The disk is the limit. The server's own would be a share of what is free when it starts: of a disk that was full just
	// then, nothing, for ever.
	o.JetStreamMaxStore = math.MaxInt64
	o.SyncAlways = c.SyncAlways
	o.SyncInterval = c.SyncInterval
	o.MaxPending = maxPending
	o.MaxSubs = maxSubscriptions
	o.DontListen = true // [readersPort] does
	e.letIn(o, reader, c.ReaderToken)
	return o, checkListen(c.Listen)
}

// letIn says how connections come in as the reader: with the token, or else with nothing.
func (e *Embedded) letIn(o *server.Options, reader pass, token func() string) {
	if token == nil {
		o.NoAuthUser = reader.public
		return
	}
	gate := newAdmission(o.Nkeys, reader, token)
	gate.account = func(name string) (*server.Account, error) { return e.server.LookupAccount(name) }
	o.CustomClientAuthentication = gate
	o.AlwaysEnableNonce = true // the bridge's own connections sign it
}

// checkListen asks whether the port is free, before all else is started.
func checkListen(addr string) error {
	if addr == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return SettingError{Listen, fmt.Errorf("%q: %w", addr, err)}
	}
	probe, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return portInUse(addr, err)
	}
	return probe.Close()
}

func portInUse(addr string, err error) error {
	return SettingError{Listen, fmt.Errorf("the embedded NATS server cannot listen on %s: %w", addr, err)}
}

// Connect opens a connection inside the process, as the owner of the streams.
func (e *Embedded) Connect() (*nats.Conn, error) {
	return e.connect(e.owner, nats.CustomInboxPrefix(ownerInbox))
}

func (e *Embedded) connect(as pass, more ...nats.Option) (*nats.Conn, error) {
	options := append(resilience(e.log), nats.Name("mkio-bridge"), nats.InProcessServer(e.server), nats.Nkey(as.public, as.key.Sign))
	nc, err := nats.Connect("", append(options, more...)...)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	return nc, nil
}

// Addr is the address of the readers' port; "" when there is none.
func (e *Embedded) Addr() string {
	if e.port == nil {
		return ""
	}
	return e.port.Addr().String()
}

// Readers is how many are connected.
func (e *Embedded) Readers() int { return e.port.open() }

// Sync is what the running server does: whether it puts each message on disk before it acknowledges it, or how
// often it does so.
func (e *Embedded) Sync() (always bool, interval time.Duration) {
	c := e.server.JetStreamConfig()
	return c.SyncAlways, c.SyncInterval
}

// Broken tells, once, why the store takes no more writes: the server must be started again when that is mended.
func (e *Embedded) Broken() <-chan error { return e.broken }

// leaveReaders ends all that readers have.
func (e *Embedded) leaveReaders() {
	if e.unwatch != nil {
		e.unwatch()
		e.watching.Wait()
	}
	if e.port != nil {
		_ = e.port.Close() // it is given up, whatever it returns
	}
	if e.porter != nil {
		e.porter.close()
	}
	e.closeTap()
}
