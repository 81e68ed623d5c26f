// Package admin is the operators' API on the admin listener: /v1, and Go's profiles if they are configured. Health, metrics
// and schemas on the same listener are in cmd/bridge.
//
//	GET  /v1/resources                        current state of many resources, one per line
//	GET  /v1/resources/{kind}/{project}/{…}   current state of one
//	GET  /v1/events                           server-sent events, from a position in the log and then live
//	GET  /v1/status                           the verdicts healthy, complete and late, and what they are from
//	POST /v1/unapplied/{sequence}/retry       decide again about a stored delivery
//	GET, PUT /v1/log-level                    the log level
//	GET  /debug/pprof/                        profiles
//
// Responses about resources are read from the event log, never from MK.IO. Nothing here writes the log: the [Retrier] does a
// retry, which can do no more than a delivery could.
//
// A request to /v1 passes these checks, in this order; a profile only the second:
//
//	origin         a PUT or POST that a browser sends for a page of another origin is refused (authorize.go)
//	authorization  a bearer token, compared in constant time (authorize.go)
//	parameters     unknown ones are refused, because a misspelt filter would be ignored (parameters.go)
//	slot, rate     a response that may be as long as the log needs one of maxReaders slots; all share a rate (readers.go)
//
// Without a token the routes are registered on a loopback listener only, and refuse requests whose Host header does not name
// this machine.
//
// The handlers are in resources.go, status.go, stream.go (with position.go, which parses where a stream starts), retry.go and
// loglevel.go.
package admin
