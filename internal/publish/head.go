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

// fresh returns where a resource stands now, given where it is remembered to be. What becomes no event must not rest on
// memory. JetStream's API, which reads go through, has a queue that readers can fill; a write that must be refused has
// not, and its refusal says at which sequence the resource's last event is. Only where that is not the one that is
// remembered has it to be read.
func (p *Publisher) fresh(ctx context.Context, resource string, at place) (place, error) {
	if at.fact == nil || at.expect == 0 {
		return p.look(ctx, resource)
	}
	last, err := p.lastSequence(ctx, resource)
	if err != nil {
		return at, err
	}
	if last != at.expect {
		return p.look(ctx, resource)
	}
	return at, nil
}

// lastSequence returns the sequence of the resource's last event in the log, as the log's leader has it; 0 when it has
// none, or does not say.
func (p *Publisher) lastSequence(ctx context.Context, resource string) (uint64, error) {
	asking, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	_, err := p.js.PublishMsg(asking, &nats.Msg{Subject: streams.ProbeSubject(p.names.Prefix()), Header: nats.Header{
		event.HeaderProbe:                       {"head"},
		jetstream.ExpectedStreamHeader:          {p.names.EventStream()},
		jetstream.ExpectedLastSubjSeqSubjHeader: {p.names.Filter(resource)},
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
		return 0, fmt.Errorf("stream %s does not check the sequence that a write expects", p.names.EventStream())
	}
	return 0, troubleOf(ctx, fmt.Errorf("ask %s for the last event on %s: %w", p.names.EventStream(), p.names.Filter(resource), err))
}
