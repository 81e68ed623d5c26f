package broker_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// With a consumer's name, a reader could change or delete it: readers must not learn other consumers' names.
func TestConsumerNamesAreHiddenFromReaders(t *testing.T) {
	e := start(t, config(t.TempDir()))
	createStreams(t, e, owner(t, e))
	nc := reader(t, e)
	if _, err := stream(t, nc).CreateConsumer(t.Context(), "MKIO_EVENTS", jetstream.ConsumerConfig{Durable: "own"}); err != nil {
		t.Fatal(err)
	}
	request := func(subject string) ([]byte, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		m, err := nc.RequestWithContext(ctx, subject, nil)
		if err != nil {
			return nil, err
		}
		return m.Data, nil
	}
	for _, stream := range []string{"MKIO_EVENTS", "KV_mkio_state", "MKIO_UNAPPLIED"} {
		for _, subject := range []string{"$JS.API.CONSUMER.LIST." + stream, "$JS.API.CONSUMER.NAMES." + stream} {
			if response, err := request(subject); err == nil {
				t.Errorf("%s: %s", subject, response)
			}
		}
	}
	if _, err := request("$JS.API.CONSUMER.INFO.MKIO_EVENTS.own"); err != nil {
		t.Errorf("own consumer: %v", err)
	}
}
