package eventlog

import "context"

// Latest returns the events at the last sequences of the log, at most limit, oldest first. last is the last sequence that
// the log ever had; 0 if it never had an event.
func (l *Log) Latest(ctx context.Context, limit uint64) (events []Raw, last uint64, err error) {
	stream, err := l.Stream(ctx)
	if err != nil {
		return nil, 0, err
	}
	last = stream.State.LastSeq
	if stream.State.Msgs == 0 {
		return nil, last, nil
	}
	from := uint64(1)
	if last > limit {
		from = last - limit + 1
	}
	for raw, err := range l.Raw(ctx, Query{From: from, To: last}) {
		if err != nil {
			return nil, last, err
		}
		events = append(events, raw)
	}
	return events, last, nil
}
