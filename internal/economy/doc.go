// Package economy compares what it costs to know the states of MK.IO's resources in different ways, and what each way
// knows in the end: with the bridge, with three loops that anyone would write first, and with an oracle.
//
// A [Day] (day.go) is a script for the simulated MK.IO: 10,000 resources at rest, and the changes of 24 hours. The same seed
// gives the same day. A [Timeline] (timeline.go) is what really happened on it: each life of a resource, with its states and
// their times.
//
// # What is computed, and what is executed
//
// The loops and the oracle are computed from the timeline (loops.go). A loop that asks at 0 s, 5 s, 10 s, … sees the states at
// those instants, so its result is exact, without sampling: a change is seen at the first of these instants, unless the next
// change or the deletion comes before it. Its requests are counted the same way: for each instant, one request for each
// resource, or for each page of each list. To execute them instead would take 172 million requests for one day of the first
// loop. Tests execute the loops on short days, request by request, and compare.
//
// The bridge is executed: the whole service with its default settings, on a real JetStream, in virtual time, with the
// simulated MK.IO as its API and as the sender of its webhooks. That is in cmd/bridge (economy_test.go), which can build a
// bridge.
//
// # In favour of the loops
//
// No request of a loop takes time or fails, none counts against MK.IO's limit of 2,000 requests a minute, and the first loop
// knows the name of each new resource at once. The bridge has none of this: its requests take up to 200 ms, it keeps its limit
// of 1,000 requests a minute, and it has to find out what exists.
//
// # What is counted
//
// Requests are all requests to MK.IO within the day, and the most in any 60 seconds of it. Changes are all changes of state,
// creations included. A final state is the last state of a life in which it rests: Finished, Ready, Running, but not Deleting. Deletions are counted on their own, because two of the ways cannot see them. The delay of a change
// is the time until it is seen; for the bridge, until the event is recorded.
package economy
