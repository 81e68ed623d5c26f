package eventlog

import (
	"context"
	"iter"
)

// Tail returns the last n events that match a query, oldest first, and with Follow then the new ones.
func (l *Log) Tail(ctx context.Context, q Query, n uint) iter.Seq2[Raw, error] {
	return func(yield func(Raw, error) bool) {
		bounds, err := l.Bounds(ctx)
		if err != nil {
			yield(Raw{}, err)
			return
		}
		last, err := l.last(ctx, q, bounds, n)
		if err != nil {
			yield(Raw{}, err)
			return
		}
		pending := uint64(len(last))
		for _, e := range last {
			pending--
			e.Pending = pending
			if !yield(e, nil) {
				return
			}
		}
		if !q.Follow || q.To > 0 && q.To <= bounds.Last {
			return
		}
		q.From = max(q.From, bounds.Last+1)
		for e, err := range l.Raw(ctx, q) {
			if !yield(e, err) {
				return
			}
		}
	}
}

// last returns the last n events within the bounds that match a query. JetStream reads forwards only, so it reads ever longer
// ends of the log until one has n matches.
func (l *Log) last(ctx context.Context, q Query, bounds Bounds, n uint) ([]Raw, error) {
	q.Follow = false
	if q.To == 0 || q.To > bounds.Last {
		q.To = bounds.Last
	}
	first := max(q.From, bounds.First)
	if q.To < first {
		return nil, nil
	}
	if !q.Since.IsZero() && q.By != ByTime { // the server finds the beginning
		return l.lastOf(ctx, q, n)
	}
	for length := uint64(n); ; length *= 4 {
		q.From = first
		if all := q.To - first + 1; length < all {
			q.From = q.To - length + 1
		}
		events, err := l.lastOf(ctx, q, n)
		if err != nil || uint(len(events)) == n || q.From == first {
			return events, err
		}
	}
}

// lastOf returns the last n of the events that match a query.
func (l *Log) lastOf(ctx context.Context, q Query, n uint) ([]Raw, error) {
	var events []Raw
	for e, err := range l.Raw(ctx, q) {
		if err != nil {
			return nil, err
		}
		if events = append(events, e); uint(len(events)) > n {
			events = events[1:]
		}
	}
	return events, nil
}
