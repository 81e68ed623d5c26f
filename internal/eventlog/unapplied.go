package eventlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// An Unapplied is a delivery that became no event.
type Unapplied struct {
	Sequence uint64
	Stored   time.Time
	Subject  string
	Resource string // token; "" when the delivery names none
	Reason   lifecycle.Reason
	Detail   string
	Received time.Time
	Digest   string // SHA-256 of the body as it came
	Length   int    // bytes of the body as it came; the one kept may be cut
	Body     []byte
}

// ErrNotUnapplied is for a message that somebody else put among them.
var ErrNotUnapplied = errors.New("it is no delivery that a bridge kept")

// Delivery is the same without its place.
func (k Unapplied) Delivery() lifecycle.Unapplied {
	return lifecycle.Unapplied{Reason: k.Reason, Detail: k.Detail, Body: k.Body, Digest: k.Digest, Length: k.Length, Received: k.Received}
}

// An UnappliedQuery chooses deliveries that became no event. Zero fields choose everything; with a kind, project or name
// those are left out that name no resource.
type UnappliedQuery struct {
	Reasons []lifecycle.Reason
	Kind    lifecycle.Kind
	Project string
	Name    string    // the resource's own name, the last of its path
	Since   time.Time // when it was stored: the beginning of a period, which is part of it
	Until   time.Time // its end, which is not
	NoBody  bool
}

// Unapplied returns the deliveries that became no event, oldest first.
func (l *Log) Unapplied(ctx context.Context) iter.Seq2[Unapplied, error] {
	return l.Kept(ctx, UnappliedQuery{})
}

// Kept returns the deliveries that became no event and that a query chooses, oldest first. One that cannot be read
// comes with an error, and what can be read of it; others follow.
func (l *Log) Kept(ctx context.Context, q UnappliedQuery) iter.Seq2[Unapplied, error] {
	stream := l.names.UnappliedStream()
	config := jetstream.OrderedConsumerConfig{FilterSubjects: l.keptFilters(q), HeadersOnly: q.NoBody}
	if !q.Since.IsZero() {
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &q.Since
	}
	return func(yield func(Unapplied, error) bool) {
		for m, err := range l.messages(ctx, stream, config, false) {
			if err != nil {
				yield(Unapplied{}, err)
				return
			}
			if !q.Until.IsZero() && !m.meta.Timestamp.Before(q.Until) {
				return
			}
			kept, err := l.parseKept(m.Subject(), m.Headers(), m.Data(), m.meta.Sequence.Stream, m.meta.Timestamp)
			if !yield(kept, err) {
				return
			}
		}
	}
}

// KeptAt returns the delivery at a sequence; ok is false when there is none.
func (l *Log) KeptAt(ctx context.Context, sequence uint64) (kept Unapplied, ok bool, err error) {
	stream, err := l.js.Stream(ctx, l.names.UnappliedStream())
	if err != nil {
		return Unapplied{}, false, l.explain(ctx, l.names.UnappliedStream(), err)
	}
	m, err := stream.GetMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Unapplied{}, false, nil
	}
	if err != nil {
		return Unapplied{}, false, fmt.Errorf("read %s: %w", l.names.UnappliedStream(), err)
	}
	kept, err = l.parseKept(m.Subject, m.Header, m.Data, m.Sequence, m.Time)
	return kept, err == nil, err
}

// keptFilters returns the subjects that a query's deliveries can be on; they do not overlap.
func (l *Log) keptFilters(q UnappliedQuery) []string {
	reasons := []string{"*"}
	if len(q.Reasons) > 0 {
		reasons = nil
	}
	for _, r := range q.Reasons {
		if !slices.Contains(reasons, string(r)) {
			reasons = append(reasons, string(r))
		}
	}
	var filters []string
	for _, reason := range reasons {
		for _, tail := range keptTails(q) {
			filters = append(filters, l.names.UnappliedPrefix()+"."+reason+"."+tail)
		}
	}
	return filters
}

// keptTails returns what follows the reason: a resource of each depth and spelling, and the digest.
func keptTails(q UnappliedQuery) []string {
	if q.Kind == "" && q.Project == "" && q.Name == "" {
		return []string{">"}
	}
	tails := patterns(q.Kind, q.Project, q.Name)
	for i := range tails {
		tails[i] += ".*"
	}
	return tails
}

// Conflicts returns, from now on, the token of each resource of which two facts could not be ordered,
// until the context ends.
func (l *Log) Conflicts(ctx context.Context) iter.Seq2[string, error] {
	prefix := l.names.UnappliedPrefix() + "." + string(lifecycle.ReasonConflict) + "."
	config := jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverNewPolicy, FilterSubjects: []string{prefix + ">"}, HeadersOnly: true,
	}
	return func(yield func(string, error) bool) {
		for m, err := range l.messages(ctx, l.names.UnappliedStream(), config, true) {
			if err != nil {
				yield("", err)
				return
			}
			if !yield(event.ResourceOf(m.Subject()[len(prefix):]), nil) { // the last token is the body's
				return
			}
		}
	}
}

// parseKept reads a message. What follows the reason in its subject is a resource, when there is one, and the digest.
func (l *Log) parseKept(subject string, h nats.Header, body []byte, sequence uint64, stored time.Time) (Unapplied, error) {
	kept := Unapplied{
		Sequence: sequence,
		Stored:   stored,
		Subject:  subject,
		Reason:   lifecycle.Reason(h.Get(event.HeaderReason)),
		Digest:   h.Get(event.HeaderDigest),
		Body:     body,
	}
	kept.Resource = event.ResourceOf(strings.TrimPrefix(subject, l.names.UnappliedPrefix()+"."+string(kept.Reason)+"."))
	var errs [3]error
	kept.Detail, errs[0] = url.PathUnescape(h.Get(event.HeaderDetail))
	kept.Length, errs[1] = strconv.Atoi(h.Get(event.HeaderLength))
	kept.Received, errs[2] = time.Parse(time.RFC3339Nano, h.Get(event.HeaderReceived))
	if err := cmp.Or(errs[:]...); err != nil {
		return kept, fmt.Errorf("%s, message %d: %w: %w", l.names.UnappliedStream(), sequence, ErrNotUnapplied, err)
	}
	return kept, nil
}
