// Package identity records which MK.IO a log belongs to, so that another MK.IO with projects of the same names cannot cause
// deletions in the log.
//
// The identity is one note in the bucket of notes: the address of the API, the organisation if the token has one, and
// MK.IO's own id of each project (note.go). Pure functions decide: [Note.Begin] at the start of a bridge (begin.go,
// address.go), [Note.CheckProject] for each response about a project. [TailOf] reads their input from the log (tail.go).
// [Store] reads the note and writes it by compare-and-swap, so that one of two bridges that claim one log for two MK.IOs
// fails (store.go).
//
// Guaranteed: an address, organisation or project id that differs from the recorded one is refused, never adopted silently.
// If the log was empty when the note was begun, the whole log belongs to that address and organisation, also what a webhook
// recorded before its project was requested. A lost or unreadable note counts as none: the projects of a log that is not
// empty are then unknown ([Unknown]), and their deletions wait until MK.IO returns a recorded life, or until an operator
// adopts the project. Not guaranteed: MK.IO may return no organisation or project id. Then the other parts of the identity
// decide.
package identity
