// Package poll asks MK.IO for the state of resources: it finds what no webhook delivers and what a webhook lost.
//
// # Levels, not edges
//
// A poll sees what is true now, never what happened. Each observation goes through the same [Observer] as a delivery, which
// makes of it the next event or nothing. A webhook makes the bridge early, the poll makes it right. This package decides
// nothing about observations: it compares them with the cached heads by [Observer.Compare], and has those recorded that may
// be news.
//
// # Parts
//
// A [Poller] holds the lease of some projects. For each it has a project, which puts these parts together and runs them:
//
//   - The scheduler is the loop (scheduler.go): it starts what is due, and waits for it. What it starts for a list is an
//     errand, each in a goroutine of its own: an active poll, a delta sweep or a full sweep of the list.
//   - Lists are the lists of MK.IO (lists.go). Each has a schedule, when its errands are due, and a progress, what of it was
//     compared (list.go). Lists below parents come and go with the parents that the log knows.
//   - Motions are the resources in motion, as the log has them (motions.go). The pace says how often (pace.go).
//   - The active poll (look.go) asks for the resources in motion; delta sweeps (changes.go) ask for what changed; full sweeps
//     (sweep.go) walk whole lists, and ask for the resources that a list lacks by their own addresses (gone.go, withhold.go).
//     These three do the errands, and have no state.
//   - The recheck queue (recheck.go) has the resources that are to be asked for again by their own addresses; a visitor
//     (visit.go) asks.
//   - The reporter (report.go, rows.go) makes the observations. Everything that MK.IO shows passes through it.
//   - The patience (patience.go) holds back deletions that are too many at once.
//   - The coverage (coverage.go, tally.go) writes down what full sweeps prove, and the gaps.
//   - The delivery history (history.go, settled.go) is read for deliveries that did not arrive. To read it is a chore
//     (chore.go), as is to keep the webhook rule: work that is done beside the lists.
//   - The first sweeps (first.go) are noted in a bucket, for what is discovered.
//   - The identification (identify.go) says whether the project is the one that the log is of. The identity watch
//     (identity_watch.go) compares it again and again; what is recorded of it, all projects share (identity.go).
//   - The breaker (breaker.go) stops all requests of the project while the token is refused or the log cannot be written.
//   - The outage (outage.go) makes one warning of what fails everywhere for one cause.
//
// Each part guards its own state, by a lock that its comment names; what they share (scope.go) does not change. Under a lock
// a part looks at the log's cache at most, or at a part whose comment says that it looks at nothing else. So no two parts wait
// for each other, and no lock is held while MK.IO is asked. The log itself is read or written under three locks only: those
// of the lists and the motions, to find the key of a resource token, and that of the coverage.
//
// # What is asked
//
// The lists of a project (package mkio says which) are asked in three ways, the most urgent first:
//
//   - active poll ("look" in logs and traces): resources in motion, every Active. By their own addresses when they are few, by
//     their state when the list can be asked for it, or as the whole list when that takes the fewest requests.
//   - delta sweep ("changes"): what changed since the last time, every Sweep, with an overlap. A list of one page is swept in
//     full instead: it costs the same and shows deletions.
//   - full sweep ("sweep"): everything, every Full. Only this finds deletions.
//
// What lies below a parent (live outputs, scheduled operations) has a list for each parent. The states of
// assets and content key policies are asked for one by one, until they are at rest. What stays Pending is
// asked less and less often. All requests of a project share one budget, and wait for it by urgency ([mkio.Class]).
//
// # What an answer means
//
// Before a request the log's horizon is noted: the highest sequence that is known. If the resource has an event beyond the
// horizon when the answer comes, that event was recorded while MK.IO was asked: the answer is dropped and the resource
// rechecked. Otherwise the observation carries the sequence of the resource's head as its basis, which is the expected
// sequence of the write: the write fails if another event came between.
//
// # Failures
//
// A resource that cannot be read (its record shows no state, its address fails) holds up no other: the rest of
// its list is observed, it is counted, logged once in each Full, and asked for again. Where too many fail that were asked for
// by their own addresses, it is the list that fails, and the list is asked for less and less often. A page that fails keeps
// what the pages before it showed; nothing is concluded from what a list that was not read to its end lacks. A token that is
// refused, or a log that cannot be written, concerns every list: the breaker opens.
//
// # Deleted
//
// A resource is Deleted when a list that was walked to its end, with nothing unreadable on it, does not have
// it, its own address answers 404 in MK.IO's own words, and then the project itself answers. A list
// that lacks resources that exist is not believed at all, and one below a parent that answers 404 is empty only
// if the parent is gone. What is recorded as Deleted comes back by its own address alone, and where that may be a replica
// that lags it is asked for again once it cannot be (package lifecycle says when). The time
// of the end is when the address answered 404.
//
// None of these answers may be a stored copy (package mkio says what is one). The rows of a copy are observations of their
// moment, and what it lacks proves nothing.
//
// An outage may satisfy all of that. So deletions that are many, more than 20 of a kind and more than a fifth of those that
// live, wait: each is asked for again after DeletePatience and recorded only then. Those whose addresses give no certain answer,
// because it cannot be read or is a stored copy, count with the ones that answer 404, but do not wait. Those that were
// recorded without waiting in the same time count with them, and where a kind lies on many short lists some of the others are
// asked for first. While deletions of a kind wait, no sweep proves that the kind was compared. What waits is forgotten with
// the lease.
//
// # Identity
//
// The log is of one MK.IO (package identity). A project that answers with another id, or by a token of another organisation,
// is not polled until the right one is back, and nothing of it is recorded. While it is unknown whether a project is the
// recorded one, it is polled, but no life ends: neither by a 404 nor by another life of a name. The first resource that shows
// a recorded life settles it. Before the end of a life is recorded, the project is compared anew, after the answer that shows
// the end.
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
