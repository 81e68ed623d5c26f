// Package broker is how the bridge gets to NATS: someone else's ([Connect]), or a server of its own in
// its own process ([Start]). Everything else of the bridge sees a connection and cannot tell.
//
// Connections are made for a writer that must know at once when it cannot write: they reconnect for
// ever, and publishing while disconnected fails instead of filling a buffer.
//
// The embedded server keeps its streams in an account that only the bridge can enter. Others come in
// over the client port, into an account without streams, to which the part of the JetStream API
// that reads is exported, and into which the bridge itself carries what it publishes. Denying publishes
// would not do: the server delivers answers to whatever reply subject a reader asks for, and one
// that lies below the log's would be stored. Between two accounts an answer stays on the reader's side.
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Config is how to get into someone else's NATS. Empty fields are not used.
type Config struct {
	URL                    string            // servers, comma-separated
	Creds                  string            // credentials file
	NKey                   string            // nkey seed file
	User                   string            // with Password
	Password, Token        func() string     // asked at each connect, so that a rotated secret is used
	TLSCA, TLSCert, TLSKey string            // files
	TLSFirst               bool              // the servers want TLS before the NATS protocol
	Name                   string            // of the connection, for the server's operator
	Dialer                 nats.CustomDialer // the way to the servers; nil: the network
	Log                    *slog.Logger
}

// Times of a connection.
const (
	connectTime  = 5 * time.Second
	pingEvery    = 7 * time.Second // with two pings outstanding a dead peer is noticed within 21 s
	writeTime    = 7 * time.Second // without which a peer that takes nothing would hold the lock that pings need
	reconnectMax = 5 * time.Second
)

// Connect connects to someone else's NATS. It fails when no server can be reached now, so that a wrong
// setting is seen at once; later it reconnects for ever. A [SettingError] and a [RefusedError] come back however often it is
// tried; any other error may not.
func Connect(ctx context.Context, c Config) (*nats.Conn, error) {
	servers, err := hosts(c.URL)
	if err != nil {
		return nil, SettingError{URL, err}
	}
	access, err := c.access()
	if err != nil {
		return nil, err
	}
	nc, err := dial(ctx, c.URL, append(append(resilience(c.Log), nats.Name(c.Name)), access...))
	if err == nil {
		return nc, nil
	}
	if refused, cause := whyRefused(err); refused {
		return nil, RefusedError{fmt.Errorf("NATS at %s refuses the connection: %w", servers, err), cause}
	}
	err = fmt.Errorf("NATS at %s cannot be reached: %w", servers, err)
	if silent(err) {
		return nil, SilentError{err}
	}
	return nil, err
}

// dial connects, and waits no longer than the context: the client would wait for each server in turn.
func dial(ctx context.Context, servers string, options []nats.Option) (*nats.Conn, error) {
	type outcome struct {
		nc  *nats.Conn
		err error
	}
	done := make(chan outcome)
	go func() {
		nc, err := nats.Connect(servers, options...)
		select {
		case done <- outcome{nc, err}:
		case <-ctx.Done():
			if err == nil {
				nc.Close()
			}
		}
	}()
	select {
	case o := <-done:
		return o.nc, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// access turns the ways in into options.
func (c Config) access() ([]nats.Option, error) {
	var options []nats.Option
	for _, file := range []struct {
		of   Setting
		name string
	}{{Creds, c.Creds}, {NKey, c.NKey}, {TLSCA, c.TLSCA}, {TLSCert, c.TLSCert}, {TLSKey, c.TLSKey}} {
		if file.name == "" {
			continue
		}
		if err := readable(file.name); err != nil {
			return nil, SettingError{file.of, err}
		}
	}
	if c.Creds != "" {
		options = append(options, nats.UserCredentials(c.Creds)) // read at each connect
	}
	if c.NKey != "" {
		nkey, err := nats.NkeyOptionFromSeed(c.NKey)
		if err != nil {
			return nil, SettingError{NKey, fmt.Errorf("%s: %w", c.NKey, err)}
		}
		options = append(options, nkey)
	}
	if c.User != "" {
		options = append(options, nats.UserInfoHandler(func() (string, string) { return c.User, call(c.Password) }))
	}
	if call(c.Token) != "" {
		options = append(options, nats.TokenHandler(func() string { return call(c.Token) }))
	}
	if c.TLSCA != "" {
		options = append(options, nats.RootCAs(c.TLSCA))
	}
	if c.TLSCert != "" || c.TLSKey != "" {
		options = append(options, nats.ClientCert(c.TLSCert, c.TLSKey))
	}
	if c.TLSFirst {
		options = append(options, nats.TLSHandshakeFirst())
	}
	if c.Dialer != nil {
		options = append(options, nats.SetCustomDialer(c.Dialer))
	}
	return options, nil
}

// readable tries whether a file can be opened.
func readable(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	return f.Close()
}

func call(f func() string) string {
	if f == nil {
		return ""
	}
	return f()
}

// resilience are the options of every connection of the bridge.
func resilience(log *slog.Logger) []nats.Option {
	return []nats.Option{
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1), // a publish while disconnected must fail, not wait in memory
		nats.IgnoreAuthErrorAbort(),
		nats.Timeout(connectTime),
		nats.PingInterval(pingEvery),
		nats.MaxPingsOutstanding(2),
		nats.FlusherTimeout(writeTime),
		nats.ReconnectOnFlusherError(),
		nats.CustomReconnectDelay(func(attempts int) time.Duration {
			wait := min(time.Duration(attempts)*250*time.Millisecond, reconnectMax)
			return wait/2 + rand.N(wait/2) // so that bridges which lost one server spread
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Error("NATS is disconnected; connecting again", "error", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { log.Info("NATS is connected again", "server", nc.ConnectedUrlRedacted()) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if !errors.Is(err, nats.ErrConnectionClosed) {
				log.Warn("NATS reported an error", "error", err)
			}
		}),
	}
}

// hosts shows addresses without what may be secret in them. Of one that cannot be read it shows nothing,
// nor the parser's words about it: the password may be anywhere.
func hosts(servers string) (string, error) {
	var shown []string
	for server := range strings.SplitSeq(servers, ",") {
		if server = strings.TrimSpace(server); server == "" {
			continue
		}
		if !strings.Contains(server, "://") {
			server = "nats://" + server
		}
		u, err := url.Parse(server)
		if err != nil || u.Host == "" || strings.Contains(u.Path+u.RawQuery+u.Fragment, "@") {
			return "", ErrAddress
		}
		shown = append(shown, u.Scheme+"://"+u.Host)
	}
	if len(shown) == 0 {
		return "", ErrNoServer
	}
	return strings.Join(shown, ", "), nil
}
