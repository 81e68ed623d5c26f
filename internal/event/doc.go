// Package event is the wire: how a change of state looks on NATS. The writer and every reader
// import it, so that there is one place that knows
//
//   - the names of streams and buckets ([Names]),
//   - the subject of an event and back (subject.go),
//   - the CloudEvent in the payload ([Event], [Encoder]), and which occurrence its id stands for (id.go),
//   - the Mkio-* headers, which repeat what the next decision needs ([FactOf]), so that a scan
//     of headers alone rebuilds everything the bridge remembers.
//
// The payload is CloudEvents 1.0 in structured JSON. There are no ce-* headers: readers would take
// the message for binary mode.
package event
