package broker

import (
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// A stop of the server waits at least ten milliseconds for each consumer that is stored in a file, one after the other, and
// readers make consumers as they like. So many are waited for; where there are more, the stop ends without the rest.
// Nothing is lost by that: all that was acknowledged is in the files already, and so is the state of consumers but for
// the last tenth of a second, as after a crash.
const (
	fewConsumers = 50
	stopWait     = 2 * time.Second
)

// Shutdown stops the server, waits for it and lets go of the store. Where readers have many consumers it waits no longer
// than [stopWait]: the store then stays locked until the server has stopped, or the process ends. It may be called again.
func (e *Embedded) Shutdown() {
	e.stop.Do(func() {
		e.leaveReaders()
		var enough <-chan time.Time
		if n := e.consumers(); n > fewConsumers {
			e.log.Info("the embedded NATS server stops, and waits for few of its readers' consumers", "consumers", n, "most", stopWait)
			enough = time.After(stopWait)
		}
		go e.end()
		select {
		case <-e.stopped:
		case <-enough:
		}
	})
}

// end stops the server and lets go of the store.
func (e *Embedded) end() {
	defer close(e.stopped)
	if e.server != nil {
		e.server.Shutdown()
		e.server.WaitForShutdown()
	}
	_ = e.lock.Close() // the lock is given up, whatever it returns
}

// consumers is how many there are, of readers and of the bridge.
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
