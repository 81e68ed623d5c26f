package broker

import (
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// The server's shutdown takes at least ten milliseconds for each file-based consumer, one after the other, and readers
// create any number of them. With more than maxAwaitedConsumers, Shutdown waits for stopTimeout only. Nothing is lost then:
// everything acknowledged is in the files already, and so is the state of consumers, except for the last tenth of a second,
// as after a crash.
const (
	maxAwaitedConsumers = 50
	stopTimeout         = 2 * time.Second
)

// Shutdown stops the server, and waits until it has stopped and released the store. If readers have many consumers, it waits
// at most [stopTimeout]: the store then stays locked until the server has stopped, or the process ends. It may be called
// again.
func (e *Embedded) Shutdown() {
	e.shutdownOnce.Do(func() {
		e.closeReaders()
		var timeout <-chan time.Time
		if n := e.consumers(); n > maxAwaitedConsumers {
			e.log.Info("embedded NATS server has many consumers; not waiting for all of them to stop", "consumers", n, "most", stopTimeout)
			timeout = time.After(stopTimeout)
		}
		go e.shutdownServer()
		select {
		case <-e.stopped:
		case <-timeout:
		}
	})
}

// shutdownServer stops the server and releases the store.
func (e *Embedded) shutdownServer() {
	defer close(e.stopped)
	if e.server != nil {
		e.server.Shutdown()
		e.server.WaitForShutdown()
	}
	_ = e.lock.Close() // unlocked also on an error
}

// consumers returns the number of consumers, of readers and of the bridge.
func (e *Embedded) consumers() int {
	if e.server == nil {
		return 0
	}
	found, err := e.server.Jsz(&server.JSzOptions{})
	if err != nil {
		return 0
	}
	return found.Consumers
}
