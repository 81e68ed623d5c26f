// Package torture injects faults into running bridges and checks that the log keeps its invariants.
//
// A simulated MK.IO (mkiofake) is the source of truth. A sender (sender.go) distributes its deliveries round-robin to real
// bridge processes, some to two at once, and MK.IO retries failed ones. The bridges write to a cluster of real nats-server
// processes (cluster.go), or to the server embedded in one bridge. Every connection between two of them goes through a
// [link], which can hold, cut or delay it or discard its responses; every process can be killed, frozen and restarted; disks
// fill, credentials expire, streams are changed by others, clocks step (faults*.go). At the end all faults are healed and
// MK.IO's script stops. The whole log is then read and checked against MK.IO's changes by the oracle: invariants I1 to I5
// (torture.go, report.go).
//
// The faults are drawn from a seed (schedule.go), and so is MK.IO's traffic (traffic.go). A seed repeats the same faults in
// the same order at about the same times; it cannot repeat the interleaving of processes.
package torture
