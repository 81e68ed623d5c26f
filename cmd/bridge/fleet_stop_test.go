package main

import (
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/brokertest"
)

// A bridge ends when it is told to, also while NATS takes what it says and does not answer: whoever waits for it
// would kill it.
func TestABridgeEndsThoughNATSDoesNotAnswer(t *testing.T) {
	defer brokertest.HoldClock()()
	store := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, store, "a")
		defer f.close()
		time.Sleep(time.Minute)
		i := f.anybody()
		i.cable.hold()
		defer i.cable.release()
		time.Sleep(45 * time.Second) // what follows the log has noticed, the connection has not
		told := time.Now()
		i.end()
		i.parts.Wait()
		if took := time.Since(told); took > leaseTime/3 { // which it tries to give up
			t.Errorf("it took %s", took)
		}
	})
}
