package publish_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unsafe"
	"weak"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/lifecycle"
)

// A cached head is small, however large the events are: there may be a million of them.
func TestPayloadsAreNotCached(t *testing.T) {
	f := setUp(t)
	var passing memoryWatch
	p := f.publisher(false, passing.wrap)
	const resources, size = 50, 100 << 10
	for i := range resources {
		o := delivery(key(t, lifecycle.Job, "ladder-hd", fmt.Sprint("large-", i)), "Queued", 1)
		o.Resource = []byte(`{"note":"` + strings.Repeat("x", size) + `"}`)
		f.want(p, o, lifecycle.Changed)
	}
	if seen, held := passing.count(); seen == 0 || held > resources/10 {
		t.Errorf("of %d payloads with %d bytes or more, %d are still in memory", seen, size, held)
	}
	runtime.KeepAlive(p)
}

func TestHeadersAreNotCached(t *testing.T) {
	f := setUp(t)
	writer := f.publisher(false, nil)
	const resources = 50
	for i := range resources {
		f.want(writer, delivery(key(t, lifecycle.Job, "ladder-hd", fmt.Sprint("title-", i)), "Queued", 1), lifecycle.Changed)
	}
	var passing memoryWatch
	p := f.publisher(false, passing.wrap)
	if err := p.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, _ := p.Count(lifecycle.Job, "aurora-vod"); n != resources {
		t.Fatalf("%d of %d resources are cached", n, resources)
	}
	if seen, held := passing.count(); seen < resources || held > 0 {
		t.Errorf("of %d headers, %d are still in memory", seen, held)
	}
	runtime.KeepAlive(p)
}

// memoryWatch tracks the memory of the messages that a publisher sends to JetStream and reads from it.
type memoryWatch struct {
	jetstream.JetStream

	mu      sync.Mutex
	tracked map[weak.Pointer[byte]]bool
}

func (p *memoryWatch) wrap(js jetstream.JetStream) jetstream.JetStream {
	p.JetStream, p.tracked = js, map[weak.Pointer[byte]]bool{}
	return p
}

func (p *memoryWatch) track(first *byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tracked[weak.Make(first)] = true
}

// count returns how many pieces of memory were tracked, and how many of them are still referenced.
func (p *memoryWatch) count() (seen, held int) {
	for range 2 { // the content of a sync.Pool survives one collection
		runtime.GC()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for first := range p.tracked {
		if first.Value() != nil {
			held++
		}
	}
	return len(p.tracked), held
}

// PublishMsg tracks the payload of a message.
func (p *memoryWatch) PublishMsg(ctx context.Context, msg *nats.Msg, o ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	p.track(&msg.Data[0])
	return p.JetStream.PublishMsg(ctx, msg, o...)
}

// OrderedConsumer tracks the headers of all messages of a consumer.
func (p *memoryWatch) OrderedConsumer(ctx context.Context, stream string, c jetstream.OrderedConsumerConfig) (jetstream.Consumer, error) {
	consumer, err := p.JetStream.OrderedConsumer(ctx, stream, c)
	return watchedConsumer{consumer, p}, err
}

type watchedConsumer struct {
	jetstream.Consumer
	*memoryWatch
}

func (c watchedConsumer) Messages(o ...jetstream.PullMessagesOpt) (jetstream.MessagesContext, error) {
	messages, err := c.Consumer.Messages(o...)
	return watchedMessages{messages, c.memoryWatch}, err
}

// tiny is the size, in bytes, up to which Go's allocator may put a string into one block with others.
const tiny = 16

type watchedMessages struct {
	jetstream.MessagesContext
	*memoryWatch
}

func (m watchedMessages) Next(o ...jetstream.NextOpt) (jetstream.Msg, error) {
	msg, err := m.MessagesContext.Next(o...)
	if err == nil {
		for _, values := range msg.Headers() {
			if len(values[0]) > tiny {
				m.track(unsafe.StringData(values[0]))
			}
		}
	}
	return msg, err
}
