// Package broker connects the bridge to NATS: to external servers ([Connect]), or to a server embedded in the process
// ([Start]). The rest of the bridge gets a connection, and does not know which.
//
// Connections are configured for a writer that must know at once when it cannot write: they reconnect forever, and
// publishing while disconnected fails instead of filling a buffer (broker.go). jetstream.go has a faster publish with
// acknowledgement.
//
// The embedded server (embedded.go, shutdown.go) keeps its streams in an account that only the bridge can use. Readers
// connect to the client port (reader_listener.go, authenticator.go), in an account without streams (accounts.go). It imports
// the read-only part of the JetStream API, whose costly requests pass a rate limit (request_proxy.go), and the bridge
// republishes its messages to it (relay.go). Denying readers to publish would not suffice: the server sends responses to any
// reply subject that a reader names, and one below the log's subjects would be stored. Between two accounts, a response
// stays in the reader's account. limits.go has the limits of readers.
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

// Config configures the connection to external NATS servers. Empty fields are not used.
type Config struct {
	URL                    string            // servers, comma-separated
	Creds                  string            // credentials file
	NKey                   string            // nkey seed file
	User                   string            // with Password
	Password, Token        func() string     // called at each connect, so that a rotated secret is used
	TLSCA, TLSCert, TLSKey string            // files
	TLSFirst               bool              // TLS handshake before the NATS protocol
	Name                   string            // of the connection, as servers report it
	Dialer                 nats.CustomDialer // nil: the network
	Log                    *slog.Logger
}

// Times of a connection.
const (
	connectTimeout    = 5 * time.Second
	pingInterval      = 7 * time.Second // with two pings outstanding, a dead peer is noticed within 21 s
	writeTimeout      = 7 * time.Second // without it, a peer that reads nothing would block the lock that pings need
	maxReconnectDelay = 5 * time.Second
)

// Connect connects to external NATS servers. It fails if no server can be reached now, so that a wrong setting is noticed at
// once; a connection that is lost later reconnects forever. Retrying does not help after a [SettingError] or a
// [RefusedError].
func Connect(ctx context.Context, c Config) (*nats.Conn, error) {
	servers, err := hosts(c.URL)
	if err != nil {
		return nil, SettingError{URL, err}
	}
	auth, err := c.authOptions()
	if err != nil {
		return nil, err
	}
	nc, err := dial(ctx, c.URL, append(append(connectionOptions(c.Log), nats.Name(c.Name)), auth...))
	if err == nil {
		return nc, nil
	}
	if refused, cause := refusalOf(err); refused {
		return nil, RefusedError{fmt.Errorf("NATS at %s refuses the connection: %w", servers, err), cause}
	}
	err = fmt.Errorf("NATS at %s cannot be reached: %w", servers, err)
	if isSilent(err) {
		return nil, SilentError{err}
	}
	return nil, err
}

// dial connects within the context's time: the client itself waits for each server in turn.
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

// authOptions returns the client options for authentication and TLS.
func (c Config) authOptions() ([]nats.Option, error) {
	var options []nats.Option
	for _, file := range []struct {
		of   Setting
		name string
	}{{Creds, c.Creds}, {NKey, c.NKey}, {TLSCA, c.TLSCA}, {TLSCert, c.TLSCert}, {TLSKey, c.TLSKey}} {
		if file.name == "" {
			continue
		}
		if err := checkReadable(file.name); err != nil {
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
		options = append(options, nats.UserInfoHandler(func() (string, string) { return c.User, valueOf(c.Password) }))
	}
	if valueOf(c.Token) != "" {
		options = append(options, nats.TokenHandler(func() string { return valueOf(c.Token) }))
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

// checkReadable returns an error if a file cannot be opened.
func checkReadable(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	return f.Close()
}

func valueOf(f func() string) string {
	if f == nil {
		return ""
	}
	return f()
}

// connectionOptions returns the options of every connection of the bridge.
func connectionOptions(log *slog.Logger) []nats.Option {
	return []nats.Option{
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1), // a publish while disconnected must fail, not wait in a buffer
		nats.IgnoreAuthErrorAbort(),
		nats.Timeout(connectTimeout),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(2),
		nats.FlusherTimeout(writeTimeout),
		nats.ReconnectOnFlusherError(),
		nats.CustomReconnectDelay(func(attempts int) time.Duration {
			wait := min(time.Duration(attempts)*250*time.Millisecond, maxReconnectDelay)
			return wait/2 + rand.N(wait/2) // jitter, so that bridges do not reconnect at the same time
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Error("NATS disconnected; reconnecting", "error", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { log.Info("NATS reconnected", "server", nc.ConnectedUrlRedacted()) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if !errors.Is(err, nats.ErrConnectionClosed) {
				log.Warn("NATS reported an error", "error", err)
			}
		}),
	}
}

// hosts returns server addresses without user info. Its error for an invalid address contains nothing of it, nor the
// parser's error: the password may be anywhere in it.
func hosts(servers string) (string, error) {
	var masked []string
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
		masked = append(masked, u.Scheme+"://"+u.Host)
	}
	if len(masked) == 0 {
		return "", ErrNoServer
	}
	return strings.Join(masked, ", "), nil
}
