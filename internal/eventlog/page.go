package eventlog

import (
	"context"
	"fmt"
)

// A Page is a bounded part of the events that match a query, oldest first.
type Page struct {
	Events []Raw
	Next   uint64 // the sequence at which the next page begins; 0: there are no more events that match
}

// PageLimits are the limits of a page.
type PageLimits struct {
	Events   int
	Bytes    int // of all payloads; the first event is returned whatever its size
	Compared int // events that are compared with the query, when the server cannot do that
}

// Page returns the first events that match a query, up to the first limit that is reached. If that is [PageLimits.Compared], the page
// may be empty and yet have a Next. It does not wait for events that are not yet in the log.
func (l *Log) Page(ctx context.Context, q Query, limits PageLimits) (p Page, err error) {
	q.Follow = false
	size, compared := 0, 0
	for m, err := range l.messages(ctx, l.names.EventStream(), l.consumerOf(q), false) {
		if err != nil {
			return Page{}, err
		}
		r, err := rawOf(m)
		if err != nil {
			return Page{}, err
		}
		if q.pastEnd(r) {
			return p, nil
		}
		matched, err := q.matches(r)
		if err != nil {
			return Page{}, decodeError(r, err)
		}
		full := len(p.Events) == limits.Events || len(p.Events) > 0 && size+len(r.Payload) > limits.Bytes
		if compared == limits.Compared || matched && full {
			p.Next = r.Sequence
			return p, nil
		}
		compared++
		if matched {
			p.Events = append(p.Events, r)
			size += len(r.Payload)
		}
	}
	return p, nil
}

// decodeError returns the error of an event that cannot be compared with a query.
func decodeError(r Raw, err error) error {
	return fmt.Errorf("message %d on %s: %w", r.Sequence, r.Subject, err)
}
