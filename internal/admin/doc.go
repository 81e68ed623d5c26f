// Package admin is what the admin listener has for operators: /v1, and Go's profiles where the configuration asks for them.
// Health, metrics and schemas on the same listener are not here.
//
//	GET  /v1/resources                        current state of many resources, one a line
//	GET  /v1/resources/{kind}/{project}/{…}   current state of one
//	GET  /v1/events                           server-sent events, from a position in the log and then live
//	POST /v1/unapplied/{sequence}/retry       decide again about a stored delivery
//	GET, PUT /v1/log-level                    how much is logged
//	GET  /debug/pprof/                        profiles
//
// What an answer says of resources is read from the event log, never from MK.IO. Nothing here writes the log: a retry is
// given to the [Retrier], and can do no more than a delivery could.
//
// A request to /v1 passes these checks, in this order; a profile only the second:
//
//	origin         a request that changes something is refused when a browser sends it for a page of another origin
//	authorization  a bearer token, compared in constant time
//	parameters     an unknown one is refused, since a misspelt filter would be left out
//	slot, rate     an answer that may be as long as the log takes one of a fixed number of slots; all of them share a rate
//
// Without a token the routes exist on a loopback listener alone, and answer only requests that name this machine as their
// host.
package admin
