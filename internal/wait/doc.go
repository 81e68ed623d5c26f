// Package wait waits for one resource to reach a state or a phase, by the log alone.
//
// [For] takes whatever the log has: the resource's last event ends the wait at once where it is what is waited for, and so
// does every later one. [Since] counts only what was recorded after a position in the log, which is for names that are
// used again: who makes a job under an old name waits since a moment before that, and an end of the former life is none of
// the new one. What ends such a wait is decided by a judge, which is given all events of the resource, oldest first.
//
// A wait ends with an error, too, where the resource came to another end from which it does not move on by itself, and where
// its context ends; the error then has the context's cause, and says where the resource stood. Nothing is written, and MK.IO
// is not asked. A wait outlives its connection: it goes on behind the last event that it was given.
package wait
