package broker_test

import (
	"log/slog"
	"testing"
	"time"

	"mkio-bridge/internal/broker"
)

// How long a peer that went silent can hold up the bridge, by the options of its connection: nats.go makes another one when a
// ping finds too many before it unanswered, and cannot send that ping while it waits for the peer to take something. That
// it is so is what the end-to-end test of a silent connection shows.
func TestAConnectionToNATSThatWentSilentIsMadeAgainWithin30Seconds(t *testing.T) {
	nc, err := broker.Connect(t.Context(), broker.Config{URL: foreign(t, nil).ClientURL(), Log: slog.New(slog.DiscardHandler)})
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
