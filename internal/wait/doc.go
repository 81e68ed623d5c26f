// Package wait waits until a resource reaches a state or a phase, by reading the event log only; it sends no request to
// MK.IO and writes nothing.
//
// [For] counts all events: the resource's last event ends the wait at once if it reaches the goal, else a later one does
// (wait.go). [Since] counts only events recorded after a position in the log (position.go). It is for names that are reused:
// after recreating a job under an old name, wait since a position before its creation, and the end of the former life does
// not end the wait. Which event does is decided by a judge, which gets all events of the resource, oldest first (judge.go).
//
// A wait fails when the resource reaches another phase that it does not leave by itself (succeeded, failed, canceled, gone),
// and when its context ends; the error then wraps the context's cause and names the resource's state. A wait survives the
// loss of its connection: it continues behind the last event that it read.
package wait
