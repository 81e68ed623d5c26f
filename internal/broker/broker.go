// Package broker is how the bridge gets to NATS: someone else's ([Connect]), or a server of its own in
// its own process ([Start]). Everything else of the bridge sees a connection and cannot tell.
//
// Connections are made for a writer that must know at once when it cannot write: they reconnect for
// ever, and publishing while disconnected fails instead of filling a buffer.
//
// The embedded server keeps its streams in an account that only the bridge can enter. Others come in
// over the client port, into an account without streams, to which the log's subjects and the part of
// the JetStream API that reads are exported. Denying publishes would not do: the server
// delivers answers to whatever reply subject a reader asks for, and one that lies below the log's would
// be stored. Between two accounts an answer stays on the reader's side.
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Config is how to get into someone else's NATS. Empty fields are not used.
type Config struct {
	URL                    string        // servers, comma-separated
	Creds                  string        // credentials file
	NKey                   string        // nkey seed file
	User                   string        // with Password
	Password, Token        func() string // asked at each connect, so that a rotated secret is used
	TLSCA, TLSCert, TLSKey string        // files
	Name                   string        // of the connection, for the server's operator
	Log                    *slog.Logger
}

// Times of a connection.
const (
	connectTime  = 5 * time.Second
	pingEvery    = 20 * time.Second // with two pings outstanding a dead peer is noticed within a minute
	reconnectMax = 5 * time.Second
)

// Connect connects to someone else's NATS. It fails when no server can be reached now; later it
// reconnects for ever.
func Connect(ctx context.Context, c Config) (*nats.Conn, error) {
	options := append(resilience(c.Log), nats.Name(c.Name))
	access, err := c.access()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	nc, err := nats.Connect(c.URL, append(options, access...)...)
	if err != nil {
		return nil, fmt.Errorf("NATS at %s cannot be reached: %w (BRIDGE_NATS_URL says where it is, BRIDGE_NATS_CREDS, _NKEY, _USER and _PASSWORD, _TOKEN how to get in)", hosts(c.URL), err)
	}
	return nc, nil
}

// access turns the ways in into options.
func (c Config) access() ([]nats.Option, error) {
	var options []nats.Option
	if c.Creds != "" {
		options = append(options, nats.UserCredentials(c.Creds)) // read at each connect
	}
	if c.NKey != "" {
		nkey, err := nats.NkeyOptionFromSeed(c.NKey)
		if err != nil {
			return nil, fmt.Errorf("BRIDGE_NATS_NKEY %s: %w", c.NKey, err)
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
	return options, nil
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
		nats.CustomReconnectDelay(func(attempts int) time.Duration {
			return min(time.Duration(attempts)*250*time.Millisecond, reconnectMax)
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

// hosts shows addresses without what may be secret in them.
func hosts(servers string) string {
	all := strings.Split(servers, ",")
	for i, server := range all {
		u, err := url.Parse(strings.TrimSpace(server))
		switch {
		case err != nil:
			all[i] = "(no address)"
		case u.Host != "":
			all[i] = u.Scheme + "://" + u.Host
		case strings.Contains(server, "@"):
			all[i] = server[strings.LastIndex(server, "@")+1:]
		}
	}
	return strings.Join(all, ", ")
}
