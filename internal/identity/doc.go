// Package identity keeps which MK.IO a log is of, so that another MK.IO whose projects have the same names cannot end what
// is recorded.
//
// The identity is one note in the bridge's bucket: the address of the API, the organisation where the token tells it, and
// MK.IO's own id of each project. Everything is decided by pure functions: [Note.Begin] at the start of a bridge,
// [Note.Judge] whenever a project answers. [TailOf] reads what of a log they are given. [Store] reads the note and writes it
// by compare-and-swap, so that of two bridges that claim one log for two MK.IOs one fails.
//
// Guaranteed: an address, organisation or project id that differs from the recorded one is refused, never adopted
// silently. Where the log was empty when the note was begun, all of it is of that address and organisation, also what a webhook
// brought before its project was asked for. A note that is lost or cannot be read is as good as none: then a log that is not empty is of an unknown
// project ([Unknown]), whose deletions wait until MK.IO shows a life that is recorded, or until an operator adopts what answers.
// Not guaranteed: MK.IO need not tell an organisation or a project id. Where it does not, what it does tell decides.
package identity
