// Package publish is the one writer of the event log: it decides, commits and recovers.
//
// [Publisher.Observe] turns an observation into the resource's next event, or into none. The last event of a resource, its
// head, is its recorded state. An event is written with the expected last sequence of the resource's subjects
// (compare-and-swap), so that the stream itself refuses a second writer of one transition. No other table of observations
// exists, and any number of bridges may run on one stream. Package streams defines and watches the streams.
//
// An observation passes these steps (observe.go). While the circuit breaker of the log (breaker.go) is open, because
// JetStream cannot store, the observation is refused at once. Otherwise it waits for the lock of its resource (locks.go).
// The cached head decides what it is (decide.go). News is committed (commit.go), by group commit where many writes come at a
// time (batch.go, batch_tuner.go). After a conflict or a failed write the head is read from the stream (reader.go) and the
// observation is decided again: if the write was stored after all, the observation is now a duplicate.
//
// There is one commit point, in [Publisher.commit]. Whatever goes wrong there (refused, timed out, connection lost) is
// handled the same way: read the head and decide again.
//
// The cache has all heads (heads.go, packed.go; heads_read.go has [Heads], the read side for other packages) and lists which
// of them changed last (changed.go), so that no reader walks through all of them at each event. A stale or
// empty cache does no harm. The stream refuses a write based on a stale head. Where the cache has no head and the
// stream may lack older events, the head is read before the write. That a webhook becomes no event is decided by the stream
// alone; that a poll becomes none may be decided by the cache, because the next poll observes the same again.
//
// Two parts run beside the observations, for as long as [Publisher.Follow] does. The follower keeps the cache in step with
// the log, whichever bridge writes it, and detects a replaced log (load.go, follow.go, behind.go, samelog.go). The watchdog
// probes whether JetStream stores, and closes the circuit breakers again (watchdog.go, probe.go).
//
// [Publisher.StoreUnapplied] stores deliveries that become no event (unapplied.go), and [Publisher.DeleteUnapplied] deletes
// them (unapplied.go). [Publisher.StoreCoverage] stores records of what was compared with MK.IO (coverage.go). The ledger
// counts the changes that a poll recorded and no webhook delivered (ledger.go).
//
// Guaranteed on return: a nil error with an event means that JetStream has acknowledged it; a nil error without one means
// that the log holds what the verdict says. An error means that nothing is promised: the observation may or may not be
// stored, and observing it again is safe. [Publisher.Preview] is a preview: it decides like Observe and writes nothing
// (preview.go).
package publish
