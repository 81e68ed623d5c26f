package brokertest

import "github.com/nats-io/nats-server/v2/server/ats"

// StartServerClock starts the access-time goroutine that all servers of a process share. It is called before a
// testing/synctest bubble, and release after it: if a server in the bubble started that goroutine, virtual time would not
// advance.
func StartServerClock() (release func()) {
	ats.Register()
	return ats.Unregister
}
