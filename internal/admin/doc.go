// Package admin is what the admin listener has for operators: /v1, and Go's profiles where they are wanted.
//
//	GET  /v1/resources                        current state of many resources, one a line
//	GET  /v1/resources/{kind}/{project}/{…}   current state of one
//	GET  /v1/events                           server-sent events, from a position in the log and then live
//	POST /v1/unapplied/{sequence}/retry       decide again about a stored delivery
//	GET, PUT /v1/log-level                    how much is logged
//	GET  /debug/pprof/                        profiles
//
// All that is shown of resources is read from the event log, never from MK.IO. Nothing here writes the log: a retry is
// given to the [Retrier], and can do no more than a delivery could.
//
// A request passes, in this order: origin (of those that change something, a browser's page of elsewhere is refused),
// authorization, parameters (an unknown one is refused, since it would leave a filter out), and for answers that are as
// long as the log a slot and their turn to write. Authorization is a bearer token. Without a token all of it exists on a
// loopback listener alone, and answers only requests that name this machine as their host.
package admin
