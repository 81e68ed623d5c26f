// Package admin is the operators' API on the admin listener: /v1, and Go's profiles if they are configured. Health, metrics
// and schemas on the same listener are in cmd/bridge.
//
//	GET  /v1/resources                        current state of many resources: one event per line, or pages of rows
//	GET  /v1/resources/{kind}/{project}/{…}   current state of one
//	GET  /v1/events                           server-sent events, from a position in the log and then live; or pages
//	GET  /v1/unapplied, …/{sequence}          deliveries that became no event
//	GET  /v1/status                           the verdicts healthy, complete and late, and what they are from
//	POST /v1/unapplied/{sequence}/retry       decide again about a stored delivery
//	GET  /v1/audit                            what is proven complete
//	GET  /v1/notify                           the rules of mkio-bridge notify
//	GET  /v1/evidence                         a file for auditors: coverage, and the result of a verification
//	POST /v1/verify, /v1/doctor               start a job: verify the log, check the installation
//	GET  /v1/jobs, …/{id}                     jobs of all bridges
//	GET  /v1/config                           the settings
//	POST, GET, DELETE /v1/session             a cookie in place of a token, for browsers
//	GET, PUT /v1/log-level                    the log level
//	GET  /debug/pprof/                        profiles
//
// Responses about resources are read from the event log, never from MK.IO; rows from the cache of its last events
// ([Heads]). Nothing here writes the log: the [Retrier] does a retry, which can do no more than a delivery could.
//
// routes.go is the table of all endpoints, with the lowest role that may use each. A request passes these checks, in this
// order:
//
//	origin         a request other than GET that a browser sends for a page of another origin is refused (authorize.go)
//	authorization  the role of a bearer token, compared in constant time, or of a session (authorize.go, session.go)
//	parameters     unknown ones are refused, because a misspelt filter would be ignored (parameters.go); not for profiles
//	slot, rate     a response that may be as long as the log needs one of maxReaders slots, an event stream one of its own; all
//	               share a rate (readers.go)
//
// If no token is set, the routes are registered on a loopback listener only, and refuse requests whose Host header does not name
// this machine.
//
// The handlers are in files of their names; position.go parses where a stream starts, page.go what part of a list is wanted.
package admin
