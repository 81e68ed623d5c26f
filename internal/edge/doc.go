// Package edge accepts connections: it is what a listener and its HTTP server do before a handler gets a request, and limits
// the cost of clients that are not authenticated yet. It knows nothing of deliveries: its callers provide the handlers, and
// callbacks for requests that it refuses itself. The metrics of the TLS listener are in metrics.go.
//
// A connection passes, in this order:
//
//	slot     a [Listener] has a fixed number of slots ([Slots]); without a free slot a connection stays unaccepted in the
//	         kernel (listener.go), or an idle one is closed for it (idle.go); [Reserve] keeps some for health checks
//	TLS      starts at the first read, within the header timeout (handshake.go); a [Certificate] and [ClientCAs] are reloaded
//	         while in use (certificate.go)
//	framing  a request that two HTTP/1.1 parsers could end at different bytes (request smuggling) is refused within its header
//	         (framing.go)
//	server   HTTP/1.1 only, with timeouts and size limits ([NewServer]); after a request that could hide a second one, or
//	         whose body was not read, the connection is closed (server.go)
//
// net/http itself responds to requests that are refused by the framing or are not HTTP, without a handler. The listener
// detects that response when it is written, and reports it ([Config.Refused]).
//
// A stopping server is a [LameDuck] first: it serves until load balancers have noticed, then [Shutdown] drains it
// (lameduck.go).
package edge
