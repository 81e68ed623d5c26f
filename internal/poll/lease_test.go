package poll

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
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
	a, b := lease{bucket: bucket, key: "p", ttl: ttl}, lease{bucket: bucket, key: "p", ttl: ttl}
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
		<-watcher.Updates()
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
	a, b := lease{bucket: bucket, key: "p", ttl: ttl}, lease{bucket: bucket, key: "p", ttl: ttl}
	if err := a.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.release()
	if err := b.acquire(t.Context()); err != nil {
		t.Errorf("acquire: %v", err)
	}
	a.release() // the lease has another holder now
	c := lease{bucket: bucket, key: "p", ttl: ttl}
	if err := c.acquire(t.Context()); err == nil {
		t.Error("a bridge that lost its lease released the lease of another")
	}
}

func TestRenewingStopsWhenTheLeaseIsLost(t *testing.T) {
	bucket := leaseBucket(t)
	a := lease{bucket: bucket, key: "p", ttl: ttl}
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
	l := lease{bucket: bucket, key: "p", ttl: ttl}
	if err := l.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.until = l.until.Add(time.Hour)
	if _, err := bucket.PutString(t.Context(), "p", "another bridge's"); err != nil {
		t.Fatal(err)
	}
	l.renewUntilLost(t.Context()) // otherwise it would renew until then
}
