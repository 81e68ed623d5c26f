// Package torture breaks bridges on purpose, and judges what is left.
//
// A simulated MK.IO is the truth. Its deliveries go round-robin to real bridge processes, some of them to two at once, and
// are tried again as MK.IO does. The bridges write to a cluster of real nats-server processes, or to the server that is
// embedded in one bridge. Every connection between any two of them goes through a [link], where it can be held, cut,
// slowed, or robbed of its answers; every process can be killed, frozen and started again; disks fill, credentials end,
// streams are changed by strangers, clocks step. When the time is over everything is healed, MK.IO falls silent, and the
// whole log is read and held against the truth: invariants I1 to I5.
//
// What happens is drawn from a seed. The same seed repeats the same faults in the same order at about the same times; it
// cannot repeat the interleaving of processes.
package torture
