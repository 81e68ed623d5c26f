package publish

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/streams"
)

// lastSequence returns the sequence of the resource's last event in the log, as the log's leader has it; 0 when it has
// none, or does not say.
func (r *reader) lastSequence(ctx context.Context, resource string) (uint64, error) {
	asking, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	_, err := r.js.PublishMsg(asking, &nats.Msg{Subject: streams.ProbeSubject(r.names.Prefix()), Header: nats.Header{
		event.HeaderProbe:                       {"head"},
		jetstream.ExpectedStreamHeader:          {r.names.EventStream()},
		jetstream.ExpectedLastSubjSeqSubjHeader: {r.names.Filter(resource)},
		jetstream.ExpectedLastSubjSeqHeader:     {strconv.FormatUint(math.MaxInt64, 10)},
	}})
	if streams.Refused(err, streams.CodeWrongLastSequence) {
		api, _ := errors.AsType[*jetstream.APIError](err)
		var last uint64
		if _, err := fmt.Sscanf(api.Description, "wrong last sequence: %d", &last); err != nil {
			return 0, nil // it is read then
		}
		return last, nil
	}
	switch {
	case streams.Conflicted(err): // another write is under way
		return 0, nil
	case err == nil:
		return 0, fmt.Errorf("stream %s does not check the sequence that a write expects", r.names.EventStream())
	}
	return 0, troubleOf(ctx, fmt.Errorf("ask %s for the last event on %s: %w", r.names.EventStream(), r.names.Filter(resource), err))
}
