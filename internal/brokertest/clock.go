package brokertest

import "github.com/nats-io/nats-server/v2/server/ats"

// HoldClock keeps a goroutine that all servers of a process share out of a testing/synctest bubble: it
// is called before the bubble, and release after it. Without it time stands still in the bubble.
func HoldClock() (release func()) {
	ats.Register()
	return ats.Unregister
}
