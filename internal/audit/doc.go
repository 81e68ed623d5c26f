// Package audit proves what the log holds, to whoever does not want to believe it.
//
// A [Chain] takes the events of a log in their order, holds each against the one before it of its resource (I1), and gives
// a [Root] over the last event of every resource. Each event has the hash of the one before it, so the root stands for all
// that the log held up to then: who keeps it elsewhere can find out later whether any of that was altered, taken out,
// put into another order or cut off. [Verify] does it with a log on NATS.
//
// [Cover] tells what records of coverage prove: from when to when the log was held against MK.IO itself, and when it was
// not. [Covers] does it with those of a log, for each project and kind.
//
// Nothing here decides or writes anything, and nothing here is used where that is done.
package audit
