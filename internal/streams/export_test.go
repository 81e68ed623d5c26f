package streams

import "github.com/nats-io/nats.go/jetstream"

// All are the streams in the order in which they are made.
func All(c Config) []jetstream.StreamConfig { return c.all() }
