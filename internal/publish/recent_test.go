package publish_test

import (
	"context"
	"log/slog"
	"testing"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
)

// An out-of-order delivery is searched among the resource's recent events. They must come from the ring buffer: one read for
// each event would take a hundred requests, while other deliveries of the resource wait.
func TestOutOfOrderDeliveryUsesRecentEvents(t *testing.T) {
	f := setUp(t)
	writer := f.publisher(false, nil)
	channel := key(t, lifecycle.LiveChannel, "news-247")
	const rounds = 60
	for minute := range rounds {
		f.want(writer, delivery(channel, "Running", 2*minute), lifecycle.Changed)
		f.want(writer, delivery(channel, "Stopped", 2*minute+1), lifecycle.Changed)
	}
	nc, js := f.server.Connect()
	other := publish.New(nc, js, publish.Config{Names: names, BaseURL: "https://app.mk.io/", Log: slog.New(slog.DiscardHandler)})
	following, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	received := 0
	go func() {
		defer close(done)
		other.Follow(following, func(string, lifecycle.Fact) {
			if received++; received == 2*rounds {
				stop()
			}
		})
	}()
	<-done
	before := nc.Stats().OutMsgs
	f.want(other, delivery(channel, "Running", 101), lifecycle.Late) // it was Stopped then
	if sent := nc.Stats().OutMsgs - before; sent > 3 {
		t.Errorf("%d messages were sent to the server", sent)
	}
}
