package streams

import "github.com/nats-io/nats.go/jetstream"

// All returns the streams in the order of creation.
func All(c Config) []jetstream.StreamConfig { return c.all() }
