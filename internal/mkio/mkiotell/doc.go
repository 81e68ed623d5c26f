// Package mkiotell is a simulated MK.IO: the part of it that tells.
//
// [Day] scripts what happens in a project between two midnights, and [Sender] tells it by webhook the
// way MK.IO documents, and no kinder: late, out of order, more than once, and again until the
// receiver answers with success. One fake serves tests, the simulation and the demo. A seed gives
// the same day and the same faults again.
package mkiotell
