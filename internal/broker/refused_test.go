package broker_test

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/broker"
)

// Servers that want TLS before the NATS protocol are reached with the setting for it, over nats:// and tls:// alike.
func TestServersThatWantTLSFirst(t *testing.T) {
	dir := t.TempDir()
	_, pair := certificates(t, dir)
	s := foreign(t, func(o *server.Options) {
		o.TLSConfig, o.TLSHandshakeFirst = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, true
	})
	config := broker.Config{TLSCA: filepath.Join(dir, "ca.pem"), TLSFirst: true, Log: slog.New(slog.DiscardHandler)}
	for _, scheme := range []string{"nats://", "tls://"} {
		config.URL = scheme + s.Addr().String()
		nc, err := broker.Connect(t.Context(), config)
		if err != nil {
			t.Errorf("%s: %v", scheme, err)
			continue
		}
		nc.Close()
	}
	config.TLSFirst = false
	_, err := broker.Connect(t.Context(), config)
	if _, ok := errors.AsType[broker.SilentError](err); !ok {
		t.Errorf("without the setting: %v", err)
	}
}

// A server that refuses is told from one that cannot be reached.
func TestARefusalIsNoUnreachableServer(t *testing.T) {
	dir := t.TempDir()
	_, pair := certificates(t, dir)
	withTLS := foreign(t, func(o *server.Options) {
		o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	})
	guarded := foreign(t, func(o *server.Options) { o.Username, o.Password = "me", "hunter2" })
	ca := filepath.Join(dir, "ca.pem")
	tests := []struct {
		name    string
		config  broker.Config
		refused bool
		cause   error
	}{
		{"a wrong password", broker.Config{URL: guarded.ClientURL(), User: "me", Password: text("hunter3")}, true, nats.ErrAuthorization},
		{"a wrong token", broker.Config{URL: guarded.ClientURL(), Token: text("hunter3")}, true, nats.ErrAuthorization},
		{"certificates of another authority", broker.Config{URL: withTLS.ClientURL()}, true, nil},
		{"TLS with a server that has none", broker.Config{URL: "tls://" + guarded.Addr().String(), TLSCA: ca}, true, nats.ErrSecureConnWanted},
		{"TLS first with a server that has none", broker.Config{URL: guarded.ClientURL(), TLSFirst: true}, true, nil},
		{"nobody there", broker.Config{URL: "nats://127.0.0.1:1"}, false, nats.ErrNoServers},
	}
	for _, tt := range tests {
		tt.config.Log = slog.New(slog.DiscardHandler)
		nc, err := broker.Connect(t.Context(), tt.config)
		if err == nil {
			nc.Close()
			t.Errorf("%s: it is let in", tt.name)
			continue
		}
		_, refused := errors.AsType[broker.RefusedError](err)
		if refused != tt.refused || tt.cause != nil && !errors.Is(err, tt.cause) {
			t.Errorf("%s: refused %t, %v", tt.name, refused, err)
		}
	}
}
