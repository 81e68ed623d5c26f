package notify

import (
	"context"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

// A Message is what a rule sends for one event, or for a group of events.
type Message struct {
	Rule        string            // the rule's name
	Event       cloudevents.Event // the event; of a group the newest
	Count       int               // how many events the message stands for; 1 unless the rule groups
	Title, Text string            // from the templates
}

// A Target takes messages. Send returns nil when the target has the message. Other errors are retried unless they are a
// [*Permanent]; a [*RetryAfter] says when, and a [*Limited] is no try at all. Send is called from several goroutines, returns soon after its context ends, and
// its errors never hold a secret: they are logged and stored in dead letters.
type Target interface {
	Send(ctx context.Context, m Message) error
}

// Permanent is the error of a message that the target will never take: it becomes a dead letter without a further try.
type Permanent struct{ Err error }

func (p *Permanent) Error() string { return p.Err.Error() }
func (p *Permanent) Unwrap() error { return p.Err }

// RetryAfter is an error of which the target said when to try again.
type RetryAfter struct {
	Err   error
	After time.Duration // from now on
}

func (r *RetryAfter) Error() string { return fmt.Sprintf("%v (retry after %s)", r.Err, r.After) }
func (r *RetryAfter) Unwrap() error { return r.Err }

// Limited is the error of a message that was not sent, because the target's rate allows none now. It counts as no try.
type Limited struct {
	Err   error
	After time.Duration // from now on
}

func (l *Limited) Error() string { return l.Err.Error() }
func (l *Limited) Unwrap() error { return l.Err }
