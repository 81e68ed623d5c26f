// Package audit verifies the log independently of the code that writes it.
//
// A [Chain] (chain.go) checks the events of a log in order, each against the previous one of its resource (invariant I1),
// and computes a [Root] (root.go) over the last event of every resource. Each event has the hash of the previous one, so the
// root covers the whole log up to then: with a root that is stored elsewhere, any later alteration, removal, reordering or
// truncation of that part of the log is found. [Verify] (verify.go) does this for a log on NATS.
//
// [CoverageOf] (coverage.go) returns what coverage records prove: the periods in which the log was compared with MK.IO
// itself, and the gaps. [Coverages] (query.go) does this for each project and kind of a log, and names those that no sweep
// compares (unpolled.go).
//
// [Collect] (evidence.go) puts both into one file for auditors, and [Evidence.Recheck] (recheck.go) compares such a file with the
// log as it is later.
//
// Nothing here decides or writes anything, and the code that does so uses nothing of this package.
package audit
