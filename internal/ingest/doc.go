// Package ingest is the webhook listener's handler: it receives MK.IO's webhook deliveries over HTTP and
// responds to each only after it is committed.
//
// A request is checked in this order: method, secret, content type, size, the limits of requests and body bytes in flight
// (handler.go), JSON shape. A request that fails before its secret is verified is counted and, rate limited, logged; nothing
// of it is stored. A request with the right secret ends in one of four ways:
//
//	204  the log holds it, as an event or as a duplicate of one
//	202  it became no event and is stored as unapplied
//	400  it is not a delivery and is stored as unapplied
//	5xx  it could not be stored; the sender must retry
//
// An empty batch is answered 400 and stored nowhere: senders use it to test whether deliveries would be accepted
// ([EmptyBatch]).
//
// The items of a batch are committed one by one, in order; the response is that of the worst item. The first item that
// cannot be stored ends the batch: the sender repeats all of it, and items already stored are duplicates then.
//
// A sender that hangs up does not cancel the commit. A delivery that was committed but got no response is sent again and is
// a duplicate then.
//
// An unapplied delivery can be decided again ([Handler.Retry]). Its arrival counts as no evidence then, because it is old.
// It is deleted from MKIO_UNAPPLIED only after the log holds it, so that a crash never loses it.
//
// Files: handler.go has the limits and the entry points, authenticate.go, content_type.go and body.go the checks, deliver.go
// the commit, handshake.go the CloudEvents handshake, response.go, log.go, metrics.go and trace.go the reporting, retry.go
// the retry of unapplied deliveries.
package ingest
