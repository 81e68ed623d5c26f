// Package ingest is source 1, what MK.IO tells: it takes webhook deliveries over HTTP and answers
// each only after it is committed.
//
// A request passes, in this order: method, origin of the content (secret), content type, size, room
// (how many bytes, and then how many whole bodies, are in hand), shape. What fails before the secret was
// right leaves no trace but a counter and, now and then, a line of the log; what comes with the right secret ends in one of four ways:
//
//	204  it is in the log, or the log tells it already
//	202  it became no event and is kept aside
//	400  it is no delivery, and is kept aside
//	5xx  it could not be stored; the sender must come again
//
// An empty batch is answered 400 and stored nowhere: it tries whether deliveries would arrive ([EmptyBatch]).
//
// A batch is taken item by item, in its order, and answers as its worst item. The first item that
// cannot be stored ends it: the sender repeats the whole, and what was stored reads as a repeat.
//
// What was kept aside can be given to the same decision again ([Handler.Retry]). It is then old: that it comes now
// is no evidence. It is deleted where it was kept only when the log holds it, so that a crash never loses it.
//
// A sender that hangs up does not stop the commit. What was stored and not answered is told again and
// reads as a repeat.
package ingest
