package publish

import "github.com/nats-io/nats.go/jetstream"

// AllStreams are the streams in the order in which they are made.
func AllStreams(s Streams) []jetstream.StreamConfig { return s.all() }
