// Package event defines the wire format: a change of state as a NATS message. The writer and every reader import it for
//
//   - the names of streams and buckets ([Names], names.go),
//   - the subject of an event, and parsing it (subject.go),
//   - the CloudEvent in the payload ([Event], [Encoder]; event.go, encode.go, append.go), and its id (id.go),
//   - the Mkio-* headers (header.go), which repeat the fields that the next decision needs ([FactOf]), so that a scan of
//     headers alone fills the cache of a bridge,
//   - the coverage records of the audit stream ([Coverage], coverage.go).
//
// The payload is CloudEvents 1.0 in structured JSON. There are no ce-* headers: readers would take the message for binary
// mode.
package event
