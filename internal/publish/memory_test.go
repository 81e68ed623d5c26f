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

// The cache of a resource is small, however large its events are: there may be a million of them.
func TestThePayloadsOfEventsAreNotCached(t *testing.T) {
	f := setUp(t)
	var passing passing
	p := f.publisher(false, passing.through)
	const resources, size = 50, 100 << 10
	for i := range resources {
		o := told(key(t, lifecycle.Job, "ladder-hd", fmt.Sprint("large-", i)), "Queued", 1)
		o.Resource = []byte(`{"note":"` + strings.Repeat("x", size) + `"}`)
		f.want(p, o, lifecycle.Changed)
	}
	if seen, held := passing.count(); seen == 0 || held > resources/10 {
		t.Errorf("of %d payloads with %d bytes or more, %d are still in memory", seen, size, held)
	}
	runtime.KeepAlive(p)
}

func TestTheHeadersOfEventsAreNotCached(t *testing.T) {
	f := setUp(t)
	writer := f.publisher(false, nil)
	const resources = 50
	for i := range resources {
		f.want(writer, told(key(t, lifecycle.Job, "ladder-hd", fmt.Sprint("title-", i)), "Queued", 1), lifecycle.Changed)
	}
	var passing passing
	p := f.publisher(false, passing.through)
	if err := p.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := p.Count(lifecycle.Job, "aurora-vod"); n != resources {
		t.Fatalf("%d of %d resources are cached", n, resources)
	}
	if seen, held := passing.count(); seen < resources || held > 0 {
		t.Errorf("of %d headers, %d are still in memory", seen, held)
	}
	runtime.KeepAlive(p)
}

// passing watches the memory of what a publisher sends to JetStream and reads from it.
type passing struct {
	jetstream.JetStream

	mu     sync.Mutex
	memory map[weak.Pointer[byte]]bool
}

func (p *passing) through(js jetstream.JetStream) jetstream.JetStream {
	p.JetStream, p.memory = js, map[weak.Pointer[byte]]bool{}
	return p
}

func (p *passing) watch(first *byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.memory[weak.Make(first)] = true
}

// count returns how many pieces of memory were watched, and how many of them are still held by something.
func (p *passing) count() (seen, held int) {
	for range 2 { // what is in a sync.Pool survives one collection
		runtime.GC()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for first := range p.memory {
		if first.Value() != nil {
			held++
		}
	}
	return len(p.memory), held
}

// PublishMsg watches the payload of a message.
func (p *passing) PublishMsg(ctx context.Context, msg *nats.Msg, o ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	p.watch(&msg.Data[0])
	return p.JetStream.PublishMsg(ctx, msg, o...)
}

// OrderedConsumer watches the headers of all messages of a consumer.
func (p *passing) OrderedConsumer(ctx context.Context, stream string, c jetstream.OrderedConsumerConfig) (jetstream.Consumer, error) {
	consumer, err := p.JetStream.OrderedConsumer(ctx, stream, c)
	return passingConsumer{consumer, p}, err
}

type passingConsumer struct {
	jetstream.Consumer
	*passing
}

func (c passingConsumer) Messages(o ...jetstream.PullMessagesOpt) (jetstream.MessagesContext, error) {
	messages, err := c.Consumer.Messages(o...)
	return passingMessages{messages, c.passing}, err
}

// tiny is up to how many bytes a string may share its memory with others, which hold it too.
const tiny = 16

type passingMessages struct {
	jetstream.MessagesContext
	*passing
}

func (m passingMessages) Next(o ...jetstream.NextOpt) (jetstream.Msg, error) {
	msg, err := m.MessagesContext.Next(o...)
	if err == nil {
		for _, values := range msg.Headers() {
			if len(values[0]) > tiny {
				m.watch(unsafe.StringData(values[0]))
			}
		}
	}
	return msg, err
}
