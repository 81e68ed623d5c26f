package noanswer

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"
)

// Sequential returns a JetStream for callers that look up one stream after the other, such as a command: it does not wait for
// answers that the servers do not allow. It may not be used by several goroutines at a time ([UntilForbidden]).
func Sequential(js jetstream.JetStream) jetstream.JetStream { return sequential{js} }

type sequential struct{ jetstream.JetStream }

// Stream looks a stream up.
func (s sequential) Stream(ctx context.Context, name string) (jetstream.Stream, error) {
	asking, stop := UntilForbidden(ctx, s.Conn(), name)
	defer stop()
	return s.JetStream.Stream(asking, name)
}

// OrderedConsumer makes a consumer.
func (s sequential) OrderedConsumer(ctx context.Context, stream string, config jetstream.OrderedConsumerConfig) (jetstream.Consumer, error) {
	asking, stop := UntilForbidden(ctx, s.Conn(), stream)
	defer stop()
	return s.JetStream.OrderedConsumer(asking, stream, config)
}
