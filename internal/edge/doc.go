// Package edge is where connections come in: what a listener and its HTTP server do before a handler sees a request, and
// what bounds the cost of a client whom nobody knows yet. It knows nothing of deliveries: handlers are given to it, and
// what it refuses itself it reports by callbacks.
//
// A connection passes, in this order:
//
//	slot     a [Listener] has a fixed number; without a free one a connection waits in the kernel, unaccepted
//	TLS      begun by the first read, within the time for a header; certificates are reloaded while they serve
//	framing  a request whose end two readers of HTTP/1.1 could see at different bytes is cut off within its header
//	server   HTTP/1.1 alone, with limits for time and size ([NewServer]); after a request behind which a second could be
//	         hidden, or whose body was not read, the connection is closed
//
// What is cut off, or is no HTTP, net/http answers itself, and no handler hears of it: the listener notices that answer as
// it is written and reports it ([Config.Unread]).
//
// A server that is told to stop is a [LameDuck] first: it goes on until load balancers know, then [Shutdown] drains it.
package edge
