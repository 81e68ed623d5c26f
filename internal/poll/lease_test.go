package poll

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
)

// ttl is of real time: in a bubble of testing/synctest the server ends entries by a clock outside of it.
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

func TestALeaseIsHeldByOne(t *testing.T) {
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
	for range 6 { // twice its time
		<-watcher.Updates()
		if err := b.acquire(t.Context()); err == nil {
			t.Fatal("two hold the lease")
		}
	}
	die() // and gives up nothing
	<-done
	for b.acquire(t.Context()) != nil {
		time.Sleep(ttl / 10)
	}
	if time.Now().Before(a.until) {
		t.Errorf("the lease was taken while it was held until %s", a.until)
	}
}

func TestALeaseThatIsGivenUpIsFreeAtOnce(t *testing.T) {
	bucket := leaseBucket(t)
	a, b := lease{bucket: bucket, key: "p", ttl: ttl}, lease{bucket: bucket, key: "p", ttl: ttl}
	if err := a.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.release()
	if err := b.acquire(t.Context()); err != nil {
		t.Errorf("take: %v", err)
	}
	a.release() // of a lease that another holds now
	c := lease{bucket: bucket, key: "p", ttl: ttl}
	if err := c.acquire(t.Context()); err == nil {
		t.Error("who lost a lease gave up another's")
	}
}

func TestWhoLostTheLeaseStops(t *testing.T) {
	bucket := leaseBucket(t)
	a := lease{bucket: bucket, key: "p", ttl: ttl}
	if err := a.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.PutString(t.Context(), "p", "another"); err != nil {
		t.Fatal(err)
	}
	a.renewUntilLost(t.Context()) // or the test never ends
}

// A lease that another bridge took ends at once, and not only when its time is over.
func TestALostLeaseIsNoticed(t *testing.T) {
	bucket := leaseBucket(t)
	l := lease{bucket: bucket, key: "p", ttl: ttl}
	if err := l.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.until = l.until.Add(time.Hour)
	if _, err := bucket.PutString(t.Context(), "p", "another bridge's"); err != nil {
		t.Fatal(err)
	}
	l.renewUntilLost(t.Context()) // would go on until then
}
