package progress

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/pause"
	"mkio-bridge/internal/streams"
	"mkio-bridge/internal/tail"
)

// Times of the follower.
const (
	valueTTL          = time.Hour        // after which a value is no longer shown; the bucket may keep it longer or shorter
	idleCheckInterval = 30 * time.Second // without a message, before it is checked that the bucket is still the same
	minRetry          = time.Second      // before a bucket that cannot be read is tried again; the pause doubles
	maxRetry          = 2 * time.Minute
)

// errReplaced is the error of a bucket that was deleted and created anew.
var errReplaced = errors.New("the bucket was created anew")

// A follower reads the bucket into a map. mu guards the fields below it; nothing is called under it.
type follower struct {
	Config
	attached chan struct{} // receives a token when the bucket can be used
	trouble  trouble       // with reading the bucket

	mu     sync.Mutex
	usable bool
	values map[string]value // by resource token
}

// A value is what the bucket has of a job.
type value struct {
	event.Progress
	at time.Time // when it was stored
}

// run follows the bucket until the context ends.
func (f *follower) run(ctx context.Context) {
	retry := minRetry
	for {
		err := f.follow(ctx, func() { retry = minRetry })
		f.setUsable(false)
		if ctx.Err() != nil {
			return
		}
		if !errors.Is(err, errReplaced) {
			f.trouble.report(f.Config, "read", err)
		}
		if pause.For(ctx, retry) != nil {
			return
		}
		retry = min(2*retry, maxRetry)
	}
}

// follow reads the bucket until that fails or the bucket is no longer the same. It creates a missing one, and calls begun when
// the bucket can be used.
func (f *follower) follow(ctx context.Context, begun func()) error {
	info, err := streams.EnsureProgress(ctx, f.JS, f.Streams)
	if err != nil {
		return err
	}
	consumer, err := consume(ctx, f.JS, f.Streams.Names)
	if err != nil {
		return err
	}
	iterator, err := consumer.Messages()
	if err != nil {
		return err
	}
	messages := tail.Of(iterator)
	defer messages.Stop()
	f.begin()
	begun()
	for {
		msg, err := f.next(ctx, messages, info.Created)
		if err != nil {
			return err
		}
		f.apply(msg)
	}
}

// consume returns a consumer of the last message of each job, and of new ones from then on.
func consume(ctx context.Context, js jetstream.JetStream, names event.Names) (jetstream.Consumer, error) {
	return js.OrderedConsumer(ctx, names.ProgressStream(), tail.Ordered(jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
	}))
}

// next returns the next message. nats.go recreates a lost consumer behind the last message, also in a bucket that ends before it:
// one that was created anew. So the bucket is checked where no message comes.
func (f *follower) next(ctx context.Context, messages *tail.Messages, created time.Time) (jetstream.Msg, error) {
	for {
		idle, cancel := context.WithTimeout(ctx, idleCheckInterval)
		msg, err := messages.Next(idle)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return msg, err
		}
		info, err := streams.EnsureProgress(ctx, f.JS, f.Streams)
		if err != nil {
			return nil, err
		}
		if !info.Created.Equal(created) {
			return nil, errReplaced
		}
	}
}

// begin empties the map for a bucket that can be used.
func (f *follower) begin() {
	f.mu.Lock()
	f.values, f.usable = map[string]value{}, true
	f.mu.Unlock()
	f.trouble.over(f.Config, "read")
	select {
	case f.attached <- struct{}{}:
	default: // a token is waiting already
	}
}

// apply notes a message of the bucket.
func (f *follower) apply(msg jetstream.Msg) {
	resource := strings.TrimPrefix(msg.Subject(), f.Streams.Names.ProgressSubject(""))
	p, stored, err := event.ParseProgress(msg.Headers(), msg.Data())
	meta, metaErr := msg.Metadata()
	if err = cmp.Or(err, metaErr); err != nil {
		f.Log.Debug("message skipped: not the progress of a job", "subject", msg.Subject(), "error", err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if stored {
		f.values[resource] = value{p, meta.Timestamp}
	} else {
		delete(f.values, resource)
	}
}

// get returns the value of a job.
func (f *follower) get(resource string, now time.Time) (event.Progress, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v, found := f.values[resource]
	return v.Progress, found && now.Sub(v.at) < valueTTL
}

// all returns the values of all jobs, and forgets those that have expired.
func (f *follower) all(now time.Time) map[string]event.Progress {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.values, func(_ string, v value) bool { return now.Sub(v.at) >= valueTTL })
	values := make(map[string]event.Progress, len(f.values))
	for resource, v := range f.values {
		values[resource] = v.Progress
	}
	return values
}

func (f *follower) isUsable() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.usable
}

func (f *follower) setUsable(usable bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.usable = usable
}
