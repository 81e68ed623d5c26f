// Package brokertest runs real NATS servers with JetStream in the test process: the bridge's embedded server
// (brokertest.go), an external server (nats.go), a cluster (cluster.go) and a JetStream domain with leaf nodes (leaf.go).
package brokertest

import (
	"log/slog"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/broker"
)

// A Server is an embedded server that ends with the test.
type Server struct {
	*broker.Embedded
	t testing.TB
}

// Start starts a server without a client port.
func Start(t testing.TB) Server {
	t.Helper()
	return StartIn(t, t.TempDir())
}

// StartIn starts a server without a client port on an existing or new store.
func StartIn(t testing.TB, dir string) Server {
	t.Helper()
	return start(t, broker.EmbeddedConfig{StoreDir: dir})
}

// Listen starts a server with a client port for readers.
func Listen(t testing.TB) Server {
	t.Helper()
	return start(t, broker.EmbeddedConfig{StoreDir: t.TempDir(), Listen: "127.0.0.1:0"})
}

func start(t testing.TB, c broker.EmbeddedConfig) Server {
	t.Helper()
	c.Log = slog.New(slog.DiscardHandler)
	embedded, err := broker.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(embedded.Shutdown)
	return Server{embedded, t}
}

// Connect opens a connection, which ends with the test.
func (s Server) Connect() (*nats.Conn, jetstream.JetStream) {
	s.t.Helper()
	nc, err := s.Embedded.Connect()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(nc.Close)
	js, err := broker.NewJetStream(nc)
	if err != nil {
		s.t.Fatal(err)
	}
	return nc, js
}
