// Package status tells whether a bridge's installation is healthy, whether its log is complete, and whether it is late.
//
// A [Reader] collects what is stored: the streams, the coverage records, what the leader of each project publishes with its
// lease ([event.Leader]), the last events of all resources and the headers of the last hour's events (collect.go, rates.go).
// From that the verdicts are computed without I/O (healthy.go, complete.go, late.go). So any two bridges return the same,
// and so does a command that reads the log. Only [Status.Local] is about one process.
//
// Where the doctor judges the same (streams, writes, the API token, deliveries), its own functions are used; the doctor
// command reports the verdicts too. They cannot disagree.
package status
