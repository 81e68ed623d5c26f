package broker_test

import (
	"log/slog"
	"testing"
	"time"

	"mkio-bridge/internal/broker"
)

// The connection's options limit how long a silent peer blocks the bridge: nats.go reconnects when too many pings are
// unanswered, and cannot send a ping while a write to the peer blocks. The end-to-end test of a silent connection tests the
// behaviour itself.
func TestSilentConnectionReconnectsWithin30Seconds(t *testing.T) {
	nc, err := broker.Connect(t.Context(), broker.Config{URL: startServer(t, nil).ClientURL(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	noticed := time.Duration(nc.Opts.MaxPingsOut+1) * nc.Opts.PingInterval
	if again := noticed + nc.Opts.Timeout; noticed <= 0 || again > 30*time.Second {
		t.Errorf("pings every %s, of which %d may be unanswered: %s", nc.Opts.PingInterval, nc.Opts.MaxPingsOut, again)
	}
	if writes := nc.Opts.FlusherTimeout; writes <= 0 || writes > noticed || !nc.Opts.ReconnectOnFlusherError {
		t.Errorf("a write may take %s, and ends the connection: %t", writes, nc.Opts.ReconnectOnFlusherError)
	}
}
