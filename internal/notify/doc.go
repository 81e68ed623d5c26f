// Package notify sends events of the log to targets, by rules in a file.
//
// Each rule has a durable consumer of its own, which keeps the rule's position in the log: a target that fails delays its own
// rules only. An event is acknowledged when the target has it, or when its dead letter is stored. So an event is sent at least
// once: a crash between the two sends it again, and its id tells the receiver so.
//
//	rules.go, parse.go     the rules file, with mistakes by line; filter.go, template.go and mute.go are its parts
//	consumer.go            the durable consumer of a rule
//	session.go             reads the consumer, and holds each event until it is acknowledged
//	lanes.go               the queue of each resource: what is sent in order, and what side by side
//	send.go                tries of one message, until the target has it or it is a dead letter
//	deadletter.go          where dead letters are stored: the stream (deadstream.go) or a file (deadfile.go)
//	retry.go               sends dead letters again
//	notifier.go            runs the rules, and reloads the file
//	report.go              stores a rule's last error in the metadata of its consumer, where bridges read it
//	preview.go, sample.go  what a rule would send, and a made-up event for a test of it
//	target.go              what a target is; targets.go opens them
//	webhook.go             CloudEvents over HTTP, with response.go, handshake.go and signature.go
//	shoutrrr.go            notification services, with service_address.go and service_client.go
//	secret.go, redact.go   reads secrets from files and variables, and removes them from errors
//
// # Order
//
// Messages about one resource are sent in the order of the log, and not before the one before them is settled. Messages about
// different resources are sent side by side. For that, one process must have all pending events of a rule. The consumer is
// therefore pinned: the server gives events to one process, and to another when that one is gone. Processes with the same
// rules share the rules among them.
//
// A process that takes a rule over may get new events before those that the former one left unacknowledged. So it sends
// nothing until the server's number of unacknowledged events is the number that it holds: then it holds them all, and begins
// with the oldest.
//
// # Memory
//
// The server delivers no more than maxPending unacknowledged events of a rule; of a rule that groups maxGrouped, which are
// held without their content. What the process holds is kept from being delivered again by progress acknowledgements.
package notify
