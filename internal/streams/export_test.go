package streams

import "github.com/nats-io/nats.go/jetstream"

// All returns the streams in the order of creation, the optional ones last.
func All(c Config) []jetstream.StreamConfig { return append(c.all(), c.optional()...) }
