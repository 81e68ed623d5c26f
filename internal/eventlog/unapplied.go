package eventlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/tail"
)

// An Unapplied is a delivery in MKIO_UNAPPLIED.
type Unapplied struct {
	Sequence uint64
	Stored   time.Time
	Subject  string
	Resource string // token; "" if the delivery names none
	Reason   lifecycle.Reason
	Detail   string
	Received time.Time
	Digest   string // SHA-256 of the body as received, lower-case hex
	Length   int    // bytes of the body as received; Body may be cut
	Body     []byte
}

// ErrNotUnapplied is the error of a foreign message in MKIO_UNAPPLIED.
var ErrNotUnapplied = errors.New("not a delivery that a bridge stored")

// Delivery returns the delivery without its sequence and subject.
func (k Unapplied) Delivery() lifecycle.Unapplied {
	return lifecycle.Unapplied{Reason: k.Reason, Detail: k.Detail, Body: k.Body, Digest: k.Digest, Length: k.Length, Received: k.Received}
}

// An UnappliedQuery selects unapplied deliveries. A zero field matches everything; with a kind, project or name, deliveries
// that name no resource do not match.
type UnappliedQuery struct {
	Reasons  []lifecycle.Reason
	Kinds    []lifecycle.Kind
	Projects []string
	Name     string    // the resource's own name, the last of its path
	Since    time.Time // of storing: the beginning of a period, inclusive
	Until    time.Time // the end of the period, exclusive
	After    uint64    // only those with a higher sequence
	NoBody   bool
}

// Unapplied returns all unapplied deliveries, oldest first.
func (l *Log) Unapplied(ctx context.Context) iter.Seq2[Unapplied, error] {
	return l.QueryUnapplied(ctx, UnappliedQuery{})
}

// QueryUnapplied returns the unapplied deliveries that match a query, oldest first. A message that cannot be decoded comes
// with an error, and with the fields that could be; the iteration continues after it.
func (l *Log) QueryUnapplied(ctx context.Context, q UnappliedQuery) iter.Seq2[Unapplied, error] {
	stream := l.names.UnappliedStream()
	config := jetstream.OrderedConsumerConfig{FilterSubjects: l.unappliedFilters(q), HeadersOnly: q.NoBody}
	switch {
	case q.After > 0:
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, q.After+1
	case !q.Since.IsZero():
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &q.Since
	}
	return func(yield func(Unapplied, error) bool) {
		for m, err := range l.messages(ctx, stream, config, false) {
			if err != nil {
				yield(Unapplied{}, err)
				return
			}
			if m.meta.Timestamp.Before(q.Since) {
				continue // with After, the server does not compare it
			}
			if !q.Until.IsZero() && !m.meta.Timestamp.Before(q.Until) {
				return
			}
			u, err := l.parseUnapplied(m.Subject(), m.Headers(), m.Data(), m.meta.Sequence.Stream, m.meta.Timestamp)
			if !yield(u, err) {
				return
			}
		}
	}
}

// A Selection is what [Log.SelectUnapplied] did not return.
type Selection struct {
	More    bool    // more deliveries match than the limit
	Foreign []error // messages among them that no bridge stored
}

// SelectUnapplied calls do for each delivery that matches a query, oldest first, up to a limit; 0: no limit.
func (l *Log) SelectUnapplied(ctx context.Context, q UnappliedQuery, limit int, do func(Unapplied) error) (s Selection, err error) {
	done := 0
	for k, err := range l.QueryUnapplied(ctx, q) {
		switch {
		case errors.Is(err, ErrNotUnapplied):
			s.Foreign = append(s.Foreign, err)
			continue
		case err != nil:
			return s, err
		case limit > 0 && done == limit:
			s.More = true
			return s, nil
		}
		if err := do(k); err != nil {
			return s, err
		}
		done++
	}
	return s, nil
}

// UnappliedBounds returns the bounds of the unapplied deliveries. Retries delete them, so that any sequence between may be
// missing.
func (l *Log) UnappliedBounds(ctx context.Context) (Bounds, error) {
	stream, err := l.js.Stream(ctx, l.names.UnappliedStream())
	if err != nil {
		return Bounds{}, l.streamErr(ctx, l.names.UnappliedStream(), err)
	}
	return BoundsOf(stream.CachedInfo()), nil
}

// CountUnapplied returns how many unapplied deliveries of each reason are stored, of all and of those since a time, and what
// the stream holds.
func (l *Log) CountUnapplied(ctx context.Context, since time.Time) (all, recent map[lifecycle.Reason]int, err error) {
	all, recent = map[lifecycle.Reason]int{}, map[lifecycle.Reason]int{}
	for _, reason := range lifecycle.Reasons() {
		config := jetstream.OrderedConsumerConfig{FilterSubjects: []string{l.names.UnappliedPrefix() + "." + string(reason) + ".>"}, HeadersOnly: true}
		if all[reason], err = l.pending(ctx, config); err != nil || all[reason] == 0 {
			recent[reason] = 0
			if err != nil {
				return nil, nil, err
			}
			continue
		}
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &since
		if recent[reason], err = l.pending(ctx, config); err != nil {
			return nil, nil, err
		}
	}
	return all, recent, nil
}

// UnappliedUsed returns the used share of the size limit of the stream of unapplied deliveries; 0 without a limit.
func (l *Log) UnappliedUsed(ctx context.Context) (float64, error) {
	stream, err := l.js.Stream(ctx, l.names.UnappliedStream())
	if err != nil {
		return 0, l.streamErr(ctx, l.names.UnappliedStream(), err)
	}
	info := stream.CachedInfo()
	if info.Config.MaxBytes <= 0 {
		return 0, nil
	}
	return float64(info.State.Bytes) / float64(info.Config.MaxBytes), nil
}

// pending returns how many unapplied deliveries a consumer would read.
func (l *Log) pending(ctx context.Context, config jetstream.OrderedConsumerConfig) (int, error) {
	stream := l.names.UnappliedStream()
	consumer, err := l.js.OrderedConsumer(ctx, stream, tail.Ordered(config))
	if err != nil {
		return 0, l.streamErr(ctx, stream, err)
	}
	info := consumer.CachedInfo()
	_ = l.js.DeleteConsumer(ctx, stream, info.Name) // else it ends by itself
	return int(min(info.NumPending, uint64(math.MaxInt32))), nil
}

// UnappliedAt returns the delivery at a sequence; ok is false if there is none.
func (l *Log) UnappliedAt(ctx context.Context, sequence uint64) (u Unapplied, ok bool, err error) {
	stream, err := l.js.Stream(ctx, l.names.UnappliedStream())
	if err != nil {
		return Unapplied{}, false, l.streamErr(ctx, l.names.UnappliedStream(), err)
	}
	m, err := stream.GetMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Unapplied{}, false, nil
	}
	if err != nil {
		return Unapplied{}, false, fmt.Errorf("read %s: %w", l.names.UnappliedStream(), err)
	}
	u, err = l.parseUnapplied(m.Subject, m.Header, m.Data, m.Sequence, m.Time)
	return u, err == nil, err
}

// unappliedFilters returns the subject filters of a query; they do not overlap.
func (l *Log) unappliedFilters(q UnappliedQuery) []string {
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
		for _, pattern := range unappliedPatterns(q) {
			filters = append(filters, l.names.UnappliedPrefix()+"."+reason+"."+pattern)
		}
	}
	return filters
}

// unappliedPatterns returns patterns of the tokens after the reason: a resource of each depth and form, and the digest.
func unappliedPatterns(q UnappliedQuery) []string {
	if len(q.Kinds) == 0 && len(q.Projects) == 0 && q.Name == "" {
		return []string{">"}
	}
	patterns := allPatterns(q.Kinds, q.Projects, q.Name)
	for i := range patterns {
		patterns[i] += ".*"
	}
	return patterns
}

// Conflicts returns the resource token of each delivery that becomes unapplied as a conflict from now on, until the context
// ends.
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
			if !yield(event.ResourceOf(m.Subject()[len(prefix):]), nil) { // the last token is the digest
				return
			}
		}
	}
}

// parseUnapplied decodes a message. In its subject, the reason is followed by the resource token, if there is one, and the
// digest.
func (l *Log) parseUnapplied(subject string, h nats.Header, body []byte, sequence uint64, stored time.Time) (Unapplied, error) {
	u := Unapplied{
		Sequence: sequence,
		Stored:   stored,
		Subject:  subject,
		Reason:   lifecycle.Reason(h.Get(event.HeaderReason)),
		Digest:   h.Get(event.HeaderDigest),
		Body:     body,
	}
	u.Resource = event.ResourceOf(strings.TrimPrefix(subject, l.names.UnappliedPrefix()+"."+string(u.Reason)+"."))
	var errs [3]error
	u.Detail, errs[0] = url.PathUnescape(h.Get(event.HeaderDetail))
	u.Length, errs[1] = strconv.Atoi(h.Get(event.HeaderLength))
	u.Received, errs[2] = time.Parse(time.RFC3339Nano, h.Get(event.HeaderReceived))
	if err := cmp.Or(errs[:]...); err != nil {
		return u, fmt.Errorf("%s, message %d: %w: %w", l.names.UnappliedStream(), sequence, ErrNotUnapplied, err)
	}
	return u, nil
}
