// Package edge is where connections come in: what a listener and its HTTP server do before a handler sees a request, and
// what bounds the cost of a client whom nobody knows yet. It knows nothing of deliveries: handlers are given to it, and
// what it refuses itself it reports by callbacks.
//
// A connection passes, in this order:
//
//	slot       a [Listener] has a fixed number; without a free one a connection waits in the kernel, unaccepted
//	TLS        begun by the first read, within the time for a header
//	framing    requests whose end two readers of HTTP/1.1 could see at different bytes are cut off
//
// What is cut off, or cannot be read as HTTP, net/http answers itself, and no handler hears of it: the listener notices
// the answer as it is written and reports it.
package edge
