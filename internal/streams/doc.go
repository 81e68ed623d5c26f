// Package streams has the JetStream assets of a bridge: the event log, the state bucket that the server fills from it, the
// unapplied deliveries, the records of coverage, and the buckets of leases and of what pollers note.
//
// Each is a literal (define.go), with its limit of size (size.go). From the literals follows all the rest. [Ensure] creates
// what is missing, and [Verify] says how each stream was found. A stream that exists is never changed: one that would break
// the bridge's promise is an error, and what an operator may choose (age, size, replicas, placement) is no difference. A
// [Watcher] surveys the streams while a bridge runs, reports what is wrong, and creates again what somebody deleted; who
// writes the log tells it what the definitions cannot: whether the log is still the same one, and whether it takes writes.
// [TryWrites] checks the rights of a connection and writes nothing.
//
// Errors are typed ([MissingError], [ReplicasError], [SizeError]); which setting to change is said where settings are known.
// The codes with which JetStream refuses writes are here as well ([Conflicted]), for a try to write is refused like a write.
package streams
