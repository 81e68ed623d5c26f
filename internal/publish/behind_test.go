package publish_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
)

// breakConsumers gives every consumer of the log a filter that matches nothing.
func (f *fixture) breakConsumers() {
	f.t.Helper()
	log, err := f.js.Stream(f.t.Context(), names.EventStream())
	if err != nil {
		f.t.Fatal(err)
	}
	changed := 0
	consumers := log.ListConsumers(f.t.Context())
	for info := range consumers.Info() {
		config := info.Config
		config.FilterSubject, config.FilterSubjects = "mkio.nothing.x", nil
		if _, err := log.UpdateConsumer(f.t.Context(), config); err != nil {
			f.t.Fatal(err)
		}
		changed++
	}
	if err := consumers.Err(); err != nil || changed == 0 {
		f.t.Fatalf("%d consumers were changed: %v", changed, err)
	}
}

// A tail whose consumer was changed by another client receives no more events, without an error. The bridge detects that
// within seconds, by its own writes or those of others, and recreates the consumer.
func TestStalledTailIsRecreated(t *testing.T) {
	for _, own := range []bool{true, false} {
		t.Run(fmt.Sprintf("own events %t", own), func(t *testing.T) {
			defer brokertest.StartServerClock()()
			synctest.Test(t, func(t *testing.T) {
				f := setUp(t)
				writer := f.publisher(false, nil)
				nc, js := f.server.Connect()
				var lines bridgetest.Buffer
				p := publish.New(nc, js, publish.Config{Names: names, BaseURL: "https://app.mk.io", Log: slog.New(slog.NewTextHandler(&lines, nil)), SurveyInterval: 5 * time.Second})
				if err := p.Load(t.Context()); err != nil {
					t.Fatal(err)
				}
				if own {
					writer = p
				}
				received := make(chan string, 10)
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() {
					defer close(done)
					p.Follow(ctx, func(resource string, _ lifecycle.Fact) { received <- resource })
				}()
				defer func() { stop(); <-done }()
				f.want(writer, delivery(key(t, lifecycle.Job, "t", "before"), "Queued", 1), lifecycle.Changed)
				<-received
				f.breakConsumers()
				f.want(writer, delivery(key(t, lifecycle.Job, "t", "behind"), "Queued", 1), lifecycle.Changed)
				select {
				case resource := <-received:
					if !strings.HasSuffix(resource, ".behind") {
						t.Errorf("received %s", resource)
					}
				case <-time.After(20 * time.Second):
					t.Fatal("the event was not received within 20 seconds")
				}
				if n := gauge(t, p, "mkio_bridge_tail_behind_total"); n != 1 {
					t.Errorf("%v stalls were counted", n)
				}
				if !lines.Contains("its consumer may have been changed") {
					t.Error("the stall is not logged")
				}
				time.Sleep(10 * time.Minute)
				if n := gauge(t, p, "mkio_bridge_tail_behind_total"); n != 1 {
					t.Errorf("a tail at the log's end was recreated: %v", n)
				}
			})
		})
	}
}
