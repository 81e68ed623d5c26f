package poll

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/mkio"
)

// ttl is real time: in a bubble of testing/synctest the server expires keys by a clock outside of the bubble.
const ttl = time.Second

func leaseBucket(t *testing.T) jetstream.KeyValue {
	t.Helper()
	_, js := brokertest.Start(t).Connect()
	bucket, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "mkio_lease", TTL: ttl})
	if err != nil {
		t.Fatal(err)
	}
	return bucket
}

func TestALeaseHasOneHolder(t *testing.T) {
	bucket := leaseBucket(t)
	a, b := lease{bucket: bucket, key: "p", ttl: ttl, value: noValue}, lease{bucket: bucket, key: "p", ttl: ttl, value: noValue}
	if err := a.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, die := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.renewUntilLost(ctx) }()
	watcher, err := bucket.Watch(t.Context(), "p", jetstream.UpdatesOnly())
	if err != nil {
		t.Fatal(err)
	}
	for range 6 { // twice the TTL
		select {
		case <-watcher.Updates():
		case <-done:
			t.Fatal("the holder could not renew its lease in time")
		}
		if err := b.acquire(t.Context()); err == nil {
			t.Fatal("the lease has two holders")
		}
	}
	die() // without releasing the lease
	<-done
	for b.acquire(t.Context()) != nil {
		time.Sleep(ttl / 10)
	}
	if time.Now().Before(a.until) {
		t.Errorf("the lease was acquired while it was held until %s", a.until)
	}
}

func TestAReleasedLeaseIsFreeAtOnce(t *testing.T) {
	bucket := leaseBucket(t)
	a, b := lease{bucket: bucket, key: "p", ttl: ttl, value: noValue}, lease{bucket: bucket, key: "p", ttl: ttl, value: noValue}
	if err := a.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.release()
	if err := b.acquire(t.Context()); err != nil {
		t.Errorf("acquire: %v", err)
	}
	a.release() // the lease has another holder now
	c := lease{bucket: bucket, key: "p", ttl: ttl, value: noValue}
	if err := c.acquire(t.Context()); err == nil {
		t.Error("a bridge that lost its lease released the lease of another")
	}
}

func TestRenewingStopsWhenTheLeaseIsLost(t *testing.T) {
	bucket := leaseBucket(t)
	a := lease{bucket: bucket, key: "p", ttl: ttl, value: noValue}
	if err := a.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.PutString(t.Context(), "p", "another"); err != nil {
		t.Fatal(err)
	}
	a.renewUntilLost(t.Context()) // otherwise the test does not end
}

// A bridge notices that another holds its lease before the lease would have expired.
func TestALostLeaseIsNoticedBeforeItExpires(t *testing.T) {
	bucket := leaseBucket(t)
	l := lease{bucket: bucket, key: "p", ttl: ttl, value: noValue}
	if err := l.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.until = l.until.Add(time.Hour)
	if _, err := bucket.PutString(t.Context(), "p", "another bridge's"); err != nil {
		t.Fatal(err)
	}
	l.renewUntilLost(t.Context()) // otherwise it would renew until then
}

func noValue() []byte { return nil }

// Other bridges read with the lease what its holder alone knows, as it is at the latest renewal. A holder of an older version
// publishes nothing.
func TestALeaseHasWhatItsHolderPublishes(t *testing.T) {
	bucket := leaseBucket(t)
	client, err := mkio.NewClient(mkio.ClientConfig{BaseURL: "https://app.mk.io", Token: func() string { return "any" }, PerMinute: 1000})
	if err != nil {
		t.Fatal(err)
	}
	p := New(Config{Client: client, Instance: "bridge-0", Sweep: time.Minute, Full: time.Hour})
	standing := newStanding(p, "vod")
	l := lease{bucket: bucket, key: "vod", ttl: ttl, value: standing.value}
	if err := l.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	read := func() event.Leader {
		t.Helper()
		entry, err := bucket.Get(t.Context(), "vod")
		if err != nil {
			t.Fatal(err)
		}
		leader, ok := event.DecodeLeader(entry.Value())
		if !ok {
			t.Fatalf("the value is %s", entry.Value())
		}
		return leader
	}
	if got := read(); got.Project != "vod" || got.Instance != "bridge-0" || got.Budget.PerMinute == 0 || got.FullSeconds != 3600 || got.Deliveries != nil || got.Paused != nil {
		t.Errorf("after the lease was acquired: %+v", got)
	}
	sent := time.Date(2031, 3, 4, 12, 0, 0, 0, time.UTC)
	standing.setDeliveries(event.LeaderDeliveries{Rule: "mkio-bridge", Sent: &sent})
	standing.setPaused(errors.New("401"), sent)
	standing.setPaused(errors.New("401 again"), sent.Add(time.Hour))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	watcher, err := bucket.Watch(t.Context(), "vod", jetstream.UpdatesOnly())
	if err != nil {
		t.Fatal(err)
	}
	go func() { defer close(done); l.renewUntilLost(ctx) }()
	<-watcher.Updates()
	stop()
	<-done
	if got := read(); got.Deliveries == nil || !got.Deliveries.Sent.Equal(sent) || got.Paused == nil || !got.Paused.Since.Equal(sent) || got.Paused.Reason != "401 again" || !got.Paused.Stops {
		t.Errorf("after a renewal: %+v", got)
	}
	standing.setPaused(nil, time.Time{})
	if leader, _ := event.DecodeLeader(standing.value()); leader.Paused != nil {
		t.Errorf("polling is still paused: %+v", leader.Paused)
	}
	if _, ok := event.DecodeLeader(nil); ok {
		t.Error("the lease of an older version has a leader")
	}
}
