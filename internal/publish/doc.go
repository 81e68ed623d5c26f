// Package publish is the one writer of the event log.
//
// [Publisher.Observe] turns an observation into the resource's next event, or into none. The last
// event of a resource is its state, and the event is written with the expected last sequence of
// the resource's subjects, so that the stream itself refuses a second writer of one transition:
// there is no table of what was seen, nothing to keep in step, and any number of bridges may
// run on one stream.
//
// The cache of heads (heads.go) is no more than a cache: it may be stale or empty without harm. A write that rests
// on a stale memory is refused by the stream, and one that rests on no memory is looked up first where
// the stream forgets. That a webhook becomes no event rests on the stream alone; that a poll does not may
// rest on memory, for the next look shows the same again.
//
// There is one commit point, in [Publisher.commit]. Whatever goes wrong there, refused, timed out,
// connection lost, is answered in one way: read the resource's last event and decide again.
// If the event was stored after all, it reads as a repeat.
//
// Where a server takes longer to sync each message than a batch of them, writes that come together go as one atomic batch
// (batch.go); each keeps its own expected sequence, and a batch that is refused is written one by one.
//
// Guaranteed on return: nil error and an event means that JetStream has acknowledged it; nil error
// and no event means that the log holds what the verdict says. An error means that nothing is
// promised: the observation may or may not be stored, and observing it again is safe.
package publish
