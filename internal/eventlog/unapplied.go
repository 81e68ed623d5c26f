package eventlog

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// A Kept is a delivery that became no event.
type Kept struct {
	Sequence uint64
	Subject  string
	Reason   lifecycle.Reason
	Detail   string
	Received time.Time
	Digest   string // SHA-256 of the body as it came
	Length   int    // bytes of the body as it came; the one kept may be cut
	Body     []byte
}

// Unapplied returns the deliveries that became no event, oldest first.
func (l *Log) Unapplied(ctx context.Context) iter.Seq2[Kept, error] {
	stream := l.names.UnappliedStream()
	return func(yield func(Kept, error) bool) {
		for m, err := range l.messages(ctx, stream, jetstream.OrderedConsumerConfig{}, false) {
			if err != nil {
				yield(Kept{}, err)
				return
			}
			kept, err := parseKept(m)
			if err != nil {
				err = fmt.Errorf("%s, message %d: %w", stream, m.meta.Sequence.Stream, err)
			}
			if !yield(kept, err) {
				return
			}
		}
	}
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

func parseKept(m message) (Kept, error) {
	h := m.Headers()
	kept := Kept{
		Sequence: m.meta.Sequence.Stream,
		Subject:  m.Subject(),
		Reason:   lifecycle.Reason(h.Get(event.HeaderReason)),
		Digest:   h.Get(event.HeaderDigest),
		Body:     m.Data(),
	}
	var err error
	if kept.Detail, err = url.PathUnescape(h.Get(event.HeaderDetail)); err != nil {
		return kept, err
	}
	if kept.Length, err = strconv.Atoi(h.Get(event.HeaderLength)); err != nil {
		return kept, err
	}
	kept.Received, err = time.Parse(time.RFC3339Nano, h.Get(event.HeaderReceived))
	return kept, err
}
