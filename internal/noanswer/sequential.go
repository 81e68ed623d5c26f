package noanswer

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"
)

// Sequential returns a JetStream for callers that open one stream after the other, such as a command: forbidden requests
// fail at once. It must not be used by several goroutines at a time ([CancelWhenForbidden]).
func Sequential(js jetstream.JetStream) jetstream.JetStream { return sequential{js} }

type sequential struct{ jetstream.JetStream }

// Stream opens a stream.
func (s sequential) Stream(ctx context.Context, name string) (jetstream.Stream, error) {
	reqCtx, stop := CancelWhenForbidden(ctx, s.Conn(), name)
	defer stop()
	return s.JetStream.Stream(reqCtx, name)
}

// OrderedConsumer creates a consumer.
func (s sequential) OrderedConsumer(ctx context.Context, stream string, config jetstream.OrderedConsumerConfig) (jetstream.Consumer, error) {
	reqCtx, stop := CancelWhenForbidden(ctx, s.Conn(), stream)
	defer stop()
	return s.JetStream.OrderedConsumer(reqCtx, stream, config)
}
