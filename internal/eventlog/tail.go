package eventlog

import (
	"context"
	"iter"
	"math"
	"time"
)

// Tail returns the last n events that match a query, oldest first, and with Follow then the new ones.
func (l *Log) Tail(ctx context.Context, q Query, n uint) iter.Seq2[Raw, error] {
	return func(yield func(Raw, error) bool) {
		bounds, err := l.Bounds(ctx)
		if err != nil {
			yield(Raw{}, err)
			return
		}
		last, err := l.last(ctx, q, bounds, PageLimits{Events: int(min(n, math.MaxInt)), Bytes: math.MaxInt, Compared: math.MaxInt})
		if err != nil {
			yield(Raw{}, err)
			return
		}
		pending := uint64(len(last.events))
		for _, e := range last.events {
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

// A LastPage is the end of the events that match a query, oldest first.
type LastPage struct {
	Events []Raw
	Before uint64 // the page before this one has events with lower sequences than this; 0: no older event matches
}

// LastPage returns the last events within the bounds that match a query, up to the first limit that is reached. If that is
// [PageLimits.Compared], the page may be empty and yet have a Before.
func (l *Log) LastPage(ctx context.Context, q Query, bounds Bounds, limits PageLimits) (LastPage, error) {
	n := limits.Events
	limits.Events++ // one more, to know whether there is one
	found, err := l.last(ctx, q, bounds, limits)
	if err != nil {
		return LastPage{}, err
	}
	page := LastPage{found.events, found.unread}
	if len(page.Events) > n {
		page.Events = page.Events[1:]
		page.Before = page.Events[0].Sequence
	}
	return page, nil
}

// An ending has the last events that match a query.
type ending struct {
	events []Raw
	bytes  int    // of all payloads
	unread uint64 // events with lower sequences than this may match too; 0: there are none
}

// minWindow is the least length of the first part of the log that [Log.last] reads.
const minWindow = 16

// last returns the last events within the bounds that match a query, up to the limits. JetStream reads forwards only, so it
// reads ever longer parts of the log, each the one before the part that it read last.
func (l *Log) last(ctx context.Context, q Query, bounds Bounds, limits PageLimits) (found ending, err error) {
	q.Follow = false
	q, err = l.inSequences(ctx, q, bounds)
	compared := 0
	for length := uint64(max(limits.Events, minWindow)); err == nil && q.From <= q.To; length *= 4 {
		if q.compares() {
			length = min(length, uint64(max(limits.Compared, minWindow)))
		}
		window := q
		if length < q.To-q.From+1 {
			window.From = q.To - length + 1
		}
		var full bool
		if full, err = l.prepend(ctx, window, limits, &found, &compared); err != nil || full {
			return found, err
		}
		if q.To = window.From - 1; compared >= limits.Compared && q.From <= q.To {
			found.unread = window.From
			return found, nil
		}
	}
	return found, err
}

// prepend reads a part of the log and puts the last of its events that match in front of the others. It reports whether a limit
// was reached: then there are none to be put in front of these.
func (l *Log) prepend(ctx context.Context, window Query, limits PageLimits, found *ending, compared *int) (full bool, err error) {
	var part []Raw
	size := 0
	for m, err := range l.messages(ctx, l.names.EventStream(), l.consumerOf(window), false) {
		if err != nil {
			return false, err
		}
		r, err := rawOf(m)
		if err != nil {
			return false, err
		}
		if window.pastEnd(r) {
			break
		}
		matched, err := window.matches(r)
		if err != nil {
			return false, decodeError(r, err)
		}
		if *compared++; !matched {
			continue
		}
		part, size = append(part, r), size+len(r.Payload)
		for len(part)+len(found.events) > limits.Events || size+found.bytes > limits.Bytes && len(part)+len(found.events) > 1 {
			size -= len(part[0].Payload)
			part, full = part[1:], true
		}
	}
	found.events, found.bytes = append(part, found.events...), found.bytes+size
	if full {
		found.unread = found.events[0].Sequence
	}
	return full || len(found.events) == limits.Events, nil
}

// inSequences returns the query with the sequences of its period, within the bounds.
func (l *Log) inSequences(ctx context.Context, q Query, bounds Bounds) (Query, error) {
	q.From = max(q.From, bounds.First, 1)
	if q.To == 0 || q.To > bounds.Last {
		q.To = bounds.Last
	}
	if q.By == ByTime {
		return q, nil // the log is not in the order of these times
	}
	if !q.Since.IsZero() {
		first, err := l.firstSince(ctx, q.Since, bounds)
		if err != nil {
			return q, err
		}
		q.From = max(q.From, first)
	}
	if !q.Until.IsZero() {
		end, err := l.firstSince(ctx, q.Until, bounds)
		if err != nil {
			return q, err
		}
		q.To = min(q.To, end-1)
	}
	q.Since, q.Until = time.Time{}, time.Time{}
	return q, nil
}

// firstSince returns the sequence of the first event that was stored at a time or later; the one after the last if there is none.
func (l *Log) firstSince(ctx context.Context, since time.Time, bounds Bounds) (uint64, error) {
	for r, err := range l.WithSmallPrefetch().Headers(ctx, Query{Since: since}) {
		return r.Sequence, err
	}
	return bounds.Last + 1, nil
}
