// Package streams has the JetStream assets of a bridge: the event log, the state bucket that the server fills from it, the
// unapplied deliveries, the records of coverage, the bucket of leases, and the bucket of what bridges note for each other.
//
// Each is a literal (define.go), with its size limit (size.go). The rest of the package works from these literals. [Ensure]
// creates what is missing, and [Verify] says how each stream was found. A stream that exists is never changed: one that
// would break the bridge's promise is an error, and what an operator may choose (age, size, replicas, placement) is no
// difference. [TryWrites] checks the rights of a connection, and writes nothing.
//
// A [Watcher] surveys the streams while a bridge runs, reports what is wrong (findings.go), and creates again what somebody
// deleted. The package that writes the log, publish, drives it and notes what the literals cannot tell: whether the log is
// still the same one, and whether it takes writes.
//
// Errors are typed ([MissingError], [ReplicasError], [SizeError]); which setting to change is said where settings are known.
// The codes with which JetStream refuses writes are here as well ([Conflicted]), because [TryWrite] expects such a refusal.
package streams
