// Package publish is the one writer of the event log: it decides, commits and recovers.
//
// [Publisher.Observe] turns an observation into the resource's next event, or into none. The last event of a resource, its
// head, is its recorded state, and an event is written with the expected last sequence of the resource's subjects, so that
// the stream itself refuses a second writer of one transition: there is no table of what was seen, nothing to keep in step,
// and any number of bridges may run on one stream. The streams themselves are defined and watched in package streams.
//
// An observation passes these steps (observe.go). While the circuit breaker of the log (breaker.go) is open, because JetStream
// cannot store, the observation is refused at once. Otherwise it waits for the lock of its resource (locks.go). The cached
// head decides what it is (decide.go). News is committed (commit.go), by group commit where many writes come at a time
// (batch.go, pace.go). After a conflict or trouble the head is read from the stream (reader.go) and the
// observation is decided again: if the write was stored after all, the observation is now a duplicate.
//
// There is one commit point, in [Publisher.commit]. Whatever goes wrong there (refused, timed out, connection lost) has one
// answer: read the head and decide again.
//
// The cache has all heads (heads.go, packed.go; heads_read.go has [Heads], what other packages may ask of it). A stale or
// empty cache does no harm. The stream refuses a write that rests on a stale head. Where the cache has no head and the stream
// may have forgotten events, the head is read before the write. That a webhook becomes no event is decided by the stream
// alone; that a poll becomes none may be decided by the cache, because the next poll shows the same again.
//
// Two parts run beside the observations, for as long as [Publisher.Follow] does. The follower keeps the cache true to the
// log, whoever writes it, and notices when the log is another one (load.go, follow.go, behind.go, samelog.go). The watchdog
// probes whether JetStream stores, and closes the circuit breakers again (watchdog.go, probe.go).
//
// [Publisher.StoreUnapplied] stores deliveries that become no event (unapplied.go), and [Publisher.DeleteUnapplied] deletes them (unapplied.go).
// [Publisher.StoreCoverage] stores records of what was compared with MK.IO (coverage.go). The ledger counts the changes that a poll
// recorded and no webhook delivered (ledger.go).
//
// Guaranteed on return: nil error and an event means that JetStream has acknowledged it; nil error and no event means that
// the log holds what the verdict says. An error means that nothing is promised: the observation may or may not be stored,
// and observing it again is safe. [Publisher.Preview] is a preview: it decides like Observe and writes nothing (preview.go).
package publish
