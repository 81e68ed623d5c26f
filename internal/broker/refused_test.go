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

// Servers that require TLS before the NATS protocol are reached with TLSFirst, over nats:// and tls://.
func TestServerWithTLSFirst(t *testing.T) {
	dir := t.TempDir()
	_, pair := writeCertificates(t, dir)
	s := startServer(t, func(o *server.Options) {
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

// A refusing server is distinguished from an unreachable one.
func TestRefusedAndUnreachableServers(t *testing.T) {
	dir := t.TempDir()
	_, pair := writeCertificates(t, dir)
	withTLS := startServer(t, func(o *server.Options) {
		o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	})
	withPassword := startServer(t, func(o *server.Options) { o.Username, o.Password = "me", "hunter2" })
	ca := filepath.Join(dir, "ca.pem")
	tests := []struct {
		name    string
		config  broker.Config
		refused bool
		cause   error
	}{
		{"a wrong password", broker.Config{URL: withPassword.ClientURL(), User: "me", Password: constant("hunter3")}, true, nats.ErrAuthorization},
		{"a wrong token", broker.Config{URL: withPassword.ClientURL(), Token: constant("hunter3")}, true, nats.ErrAuthorization},
		{"certificates of another authority", broker.Config{URL: withTLS.ClientURL()}, true, nil},
		{"TLS with a server that has none", broker.Config{URL: "tls://" + withPassword.Addr().String(), TLSCA: ca}, true, nats.ErrSecureConnWanted},
		{"TLS first with a server that has none", broker.Config{URL: withPassword.ClientURL(), TLSFirst: true}, true, nil},
		{"no server", broker.Config{URL: "nats://127.0.0.1:1"}, false, nats.ErrNoServers},
	}
	for _, tt := range tests {
		tt.config.Log = slog.New(slog.DiscardHandler)
		nc, err := broker.Connect(t.Context(), tt.config)
		if err == nil {
			nc.Close()
			t.Errorf("%s: connected", tt.name)
			continue
		}
		_, refused := errors.AsType[broker.RefusedError](err)
		if refused != tt.refused || tt.cause != nil && !errors.Is(err, tt.cause) {
			t.Errorf("%s: refused %t, %v", tt.name, refused, err)
		}
	}
}
