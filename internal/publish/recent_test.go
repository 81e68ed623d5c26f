package publish_test

import (
	"context"
	"log/slog"
	"testing"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
)

// What comes late of a channel that goes on and off was looked for event by event, while all else that was told of the
// channel waited: a hundred questions for each delivery, and none was answered in time when there were many.
func TestWhatComesLateIsNotLookedForEventByEvent(t *testing.T) {
	f := setUp(t)
	writer := f.publisher(false, nil)
	channel := key(t, lifecycle.LiveChannel, "news-247")
	const rounds = 60
	for minute := range rounds {
		f.want(writer, told(channel, "Running", 2*minute), lifecycle.Changed)
		f.want(writer, told(channel, "Stopped", 2*minute+1), lifecycle.Changed)
	}
	nc, js := f.server.Connect()
	other := publish.New(nc, js, publish.Config{Names: names, BaseURL: "https://app.mk.io/", Log: slog.New(slog.DiscardHandler)})
	following, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	heard := 0
	go func() {
		defer close(done)
		other.Follow(following, func(string, lifecycle.Fact) {
			if heard++; heard == 2*rounds {
				stop()
			}
		})
	}()
	<-done
	before := nc.Stats().OutMsgs
	f.want(other, told(channel, "Running", 101), lifecycle.Late) // it was Stopped then
	if asked := nc.Stats().OutMsgs - before; asked > 3 {
		t.Errorf("the log was asked %d times", asked)
	}
}
