package identity

import (
	"context"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
)

// lastSources is the number of the log's last events whose sources are compared.
const lastSources = 16

// TailOf reads the tail of a log.
func TailOf(ctx context.Context, log *eventlog.Log) (Tail, error) {
	events, last, err := log.Latest(ctx, lastSources)
	tail := Tail{Last: last}
	for _, e := range events {
		if decoded, err := event.Decode(e.Payload); err == nil {
			tail.Sources = append(tail.Sources, Source{Sequence: e.Sequence, URL: decoded.Source()})
		}
	}
	return tail, err
}
