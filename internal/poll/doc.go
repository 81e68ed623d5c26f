// Package poll asks MK.IO what no webhook tells and what a webhook lost.
//
// # Levels, not edges
//
// A poll sees what is true now, never what happened. Everything it sees goes through the same
// [Observer] as the deliveries of webhooks, which makes of it the next event or nothing. A webhook makes the
// bridge early, the poll makes it right.
//
// # What is asked
//
// The lists of a project (package mkio says which) are asked in three ways, the most urgent first:
//
//   - look: resources in motion, every Active. By their own address when they are few, by their state when
//     the list can be asked for it, or as the whole list when that is the least.
//   - changes: what changed since the last time, every Sweep, with an overlap. A list of one page is
//     asked for as a whole instead: it costs the same and shows deletions.
//   - sweep: everything, every Full. Only this finds deletions.
//
// What lies below a parent (live outputs, scheduled operations) has a list for each parent. The states of
// assets and content key policies are asked for one by one, until they are at rest. What stays Pending is
// asked less and less often. All requests of a project share one budget, and wait for it by urgency.
//
// # What an answer means
//
// Before a request the log's horizon is remembered, the highest sequence that is known. A resource that
// has an event beyond it when the answer is there was recorded while MK.IO was asked: the answer is
// dropped and asked for again. Otherwise the resource's last sequence goes along as the basis, and
// the write fails if anything came between.
//
// # Trouble
//
// A resource that cannot be read (its record shows no state, its address fails) holds up no other: the rest of
// its list is shown, it is counted, said once in each Full, and asked for again. Where too many fail that were asked for
// by their own addresses, it is the list's trouble, and the list is asked for less and less often. A page that fails keeps
// what the pages before it showed; nothing is concluded from what a list that was not read to its end lacks. A token that is refused, or a log that cannot be
// written, is everybody's: then all asking of the project pauses.
//
// # Deleted
//
// A resource is Deleted when a list that was walked to its end, with nothing unreadable on it, does not have
// it, its own address answers 404 in MK.IO's own words, and then the project itself answers. A list
// that lacks resources that exist is not believed at all, and one below a parent that answers 404 is empty only
// if the parent is gone. What is recorded as Deleted comes back by its own address alone, and where that may be a replica
// that lags it is asked for again once it cannot be (package lifecycle says when). The end is of when the address answered
// 404.
//
// None of these answers may be a stored copy (package mkio says what is one). The rows of a copy are observations of their
// moment, and what it lacks proves nothing.
//
// An outage may satisfy all of that. So deletions that are many, more than 20 of a kind and more than a fifth of those that
// live, wait: each is asked for again after DeletePatience and recorded only then. Those whose addresses give no certain answer,
// because it cannot be read or is a stored copy, count with the ones that answer 404, but do not wait. Those that were
// recorded without waiting in the same time count with them, and where a kind lies on many short lists some of the others are
// asked for first. While deletions of a kind wait, no sweep proves it. What waits is forgotten with the lease.
//
// # Identity
//
// The log is of one MK.IO (package identity). A project that answers with another id, or by a token of another organisation,
// is not polled until the right one is back, and nothing of it is recorded. One of which nothing tells whether it is the
// recorded one is polled, but no life ends: neither by a 404 nor by another life of a name. The first resource that shows a recorded life
// settles it. Before the end of a life is recorded the project is compared anew, after the answer that shows the end.
//
// # Discovered
//
// The first sweep of a list finds what was there before anybody looked. When it began is noted in a
// bucket, so that it counts through restarts: what was created before is discovered, what was created after is
// news. Where the record does not tell its creation, being in the first sweep decides.
//
// # Who polls
//
// Each project is polled by the bridge that holds its lease, a key that ends by itself. Two bridges that both
// believe to hold it cost requests, nothing else: every write is guarded by its basis.
package poll
