// Package edge is where connections come in: what a listener and its HTTP server do before a handler sees a request, and
// what bounds the cost of a client that is not authenticated yet. It knows nothing of deliveries: handlers are given to it,
// and what it refuses itself it reports by callbacks. The metrics of the one listener with TLS are here too (metrics.go).
//
// A connection passes, in this order:
//
//	slot     a [Listener] has a fixed number ([Slots]); without a free one a connection waits in the kernel, unaccepted
//	TLS      begun by the first read, within the time for a header; a [Certificate] and [ClientCAs] are reloaded while they
//	         serve
//	framing  a request that two parsers of HTTP/1.1 could end at different bytes (request smuggling) is cut off within its
//	         header
//	server   HTTP/1.1 alone, with limits for time and size ([NewServer]); after a request behind which a second could be
//	         hidden, or whose body was not read, the connection is closed
//
// net/http itself answers what is cut off or is no HTTP, and calls no handler: the listener sees that answer as it is
// written, and reports it ([Config.Unread]).
//
// A server that is told to stop is a [LameDuck] first: it goes on serving until load balancers know, then [Shutdown] drains
// it.
package edge
