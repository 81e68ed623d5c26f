// Package streams defines the JetStream assets of a bridge: the event log, the state bucket that the server fills from it,
// and the streams or buckets of unapplied deliveries, coverage records, leases and notes (what bridges store for each
// other).
//
// Each is a literal (define.go), with its size limit (size.go). [Ensure] creates missing streams (ensure.go), and [Verify]
// returns the state of each (verify.go). A stream that exists is never changed: one that would break the bridge's promise is
// an error, and settings that an operator may choose (age, size, replicas, placement) are not compared. [TryWrites] checks
// the permissions of a connection, and writes nothing.
//
// A [Watcher] surveys the streams while a bridge runs (watch.go), reports problems (findings.go), and recreates deleted
// streams. Package publish, which writes the log, runs it and records what only a writer can check: whether the log is still
// the same one, and whether it accepts writes.
//
// Errors are typed ([MissingError], [ReplicasError], [SizeError]), so that the command that knows the settings can name the
// one to change. The codes with which JetStream refuses writes are here as well ([Conflicted], code.go), because [TryWrite]
// expects such a refusal.
package streams
