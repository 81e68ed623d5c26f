package eventlog

import "context"

// Latest returns the events at the end of the log, oldest first: those of its last so many sequences, as far as the log still
// has them. last is the last sequence that it ever had, 0 for one that never had any.
func (l *Log) Latest(ctx context.Context, most uint64) (events []Raw, last uint64, err error) {
	stream, err := l.Stream(ctx)
	if err != nil {
		return nil, 0, err
	}
	last = stream.State.LastSeq
	if stream.State.Msgs == 0 {
		return nil, last, nil
	}
	from := uint64(1)
	if last > most {
		from = last - most + 1
	}
	for raw, err := range l.Raw(ctx, Query{From: from, To: last}) {
		if err != nil {
			return nil, last, err
		}
		events = append(events, raw)
	}
	return events, last, nil
}
