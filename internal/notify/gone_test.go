package notify

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/eventlog"
)

// deafJetStream is JetStream as a process sees it that was not connected when a consumer was deleted: its first reading of a
// consumer gets no message, and is not told of the end.
type deafJetStream struct {
	jetstream.JetStream
	first atomic.Bool
	blind atomic.Bool // the state of consumers cannot be read
}

type deafStream struct {
	jetstream.Stream
	js *deafJetStream
}

type deafConsumer struct {
	jetstream.Consumer
	js *deafJetStream
}

type deafMessages struct {
	jetstream.MessagesContext
	drained chan struct{}
}

func (d *deafJetStream) Stream(ctx context.Context, name string) (jetstream.Stream, error) {
	s, err := d.JetStream.Stream(ctx, name)
	return deafStream{s, d}, err
}

func (d deafStream) CreateOrUpdateConsumer(ctx context.Context, c jetstream.ConsumerConfig) (jetstream.Consumer, error) {
	consumer, err := d.Stream.CreateOrUpdateConsumer(ctx, c)
	return deafConsumer{consumer, d.js}, err
}

func (d deafConsumer) Info(ctx context.Context) (*jetstream.ConsumerInfo, error) {
	if d.js.blind.Load() {
		return nil, context.DeadlineExceeded
	}
	return d.Consumer.Info(ctx)
}

func (d deafConsumer) Messages(options ...jetstream.PullMessagesOpt) (jetstream.MessagesContext, error) {
	messages, err := d.Consumer.Messages(options...)
	if err == nil && d.js.first.CompareAndSwap(false, true) {
		messages.Stop()
		messages = deafMessages{messages, make(chan struct{})}
	}
	return messages, err
}

func (d deafMessages) Next(...jetstream.NextOpt) (jetstream.Msg, error) {
	<-d.drained
	return nil, jetstream.ErrMsgIteratorClosed
}

func (d deafMessages) Drain() { close(d.drained) }

// A consumer that is deleted while the process is not connected is noticed, and its rule continues.
func TestUnannouncedEndOfTheConsumer(t *testing.T) {
	virtual(t, func(f *fixture) {
		f.rules("  - {name: a, target: main}\n")
		f.wrap = func(js jetstream.JetStream) jetstream.JetStream { return &deafJetStream{JetStream: js} }
		n, _ := f.run()
		if err := f.js.DeleteStream(f.t.Context(), names.EventStream()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(surveyInterval + time.Second)
		if err := n.Ready(); err == nil {
			t.Error("the notifier is ready without a log")
		}
		f.createStreams()
		f.add("news", "ep-1", "Queued")
		time.Sleep(time.Minute)
		f.want("main", "ep-1 Queued")
		if err := n.Ready(); err != nil {
			t.Error(err)
		}
	})
}

// A notifier that cannot read the state of a consumer is not ready, and says so once: it cannot know what it must send first.
func TestConsumerWhoseStateCannotBeRead(t *testing.T) {
	virtual(t, func(f *fixture) {
		f.rules("  - {name: a, target: main}\n")
		js := &deafJetStream{}
		js.first.Store(true)
		js.blind.Store(true)
		f.wrap = func(inner jetstream.JetStream) jetstream.JetStream { js.JetStream = inner; return js }
		n, _ := f.run()
		f.add("news", "ep-1", "Queued")
		time.Sleep(time.Minute)
		f.want("main")
		if err := n.Ready(); err == nil || strings.Count(f.log.String(), "cannot be read; retrying") != 1 {
			t.Errorf("ready: %v\n%s", err, f.log.String())
		}
		js.blind.Store(false)
		time.Sleep(time.Minute)
		f.want("main", "ep-1 Queued")
		if err := n.Ready(); err != nil {
			t.Error(err)
		}
	})
}

// The last error of a rule is that of the process that runs it: another one does not remove it when it starts, and clears it
// when it has taken the rule over and sent a message.
func TestLastErrorAfterATakeover(t *testing.T) {
	virtual(t, func(f *fixture) {
		lastError := func() string {
			rules, err := eventlog.New(f.js, names).NotifyRules(f.t.Context())
			if err != nil {
				f.t.Fatal(err)
			}
			return rules[0].LastError
		}
		f.rules("  - {name: a, target: main}\n")
		f.target("main").answers(func(context.Context, string) error { return errDown })
		f.run()
		first := f.last
		f.add("news", "ep-1", "Queued")
		time.Sleep(2 * time.Minute)
		f.run()
		if got := lastError(); got != errDown.Error() {
			f.t.Errorf("the last error is %q", got)
		}
		first.kill()
		f.target("main").answers(nil)
		time.Sleep(5 * time.Minute)
		f.want("main", "ep-1 Queued")
		if got := lastError(); got != "" {
			f.t.Errorf("after a message was sent the last error is %q", got)
		}
	})
}
