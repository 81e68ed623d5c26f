package main

import (
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/brokertest"
)

// A stopped bridge ends in time, also while NATS accepts data and does not respond: its supervisor would kill it.
func TestBridgeStopsWhileNATSDoesNotRespond(t *testing.T) {
	defer brokertest.StartServerClock()()
	store := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, store, "a")
		defer f.close()
		time.Sleep(time.Minute)
		i := f.anyInstance()
		i.link.pause()
		defer i.link.resume()
		time.Sleep(45 * time.Second) // the log's follower has noticed, the connection has not
		stopped := time.Now()
		i.end()
		i.goroutines.Wait()
		if took := time.Since(stopped); took > leaseTTL/3 { // the time in which it tries to release its leases
			t.Errorf("the stop took %s", took)
		}
	})
}
