package publish

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/tracing"
)

// commit writes the resource's next event behind the place it is known to be at.
func (p *Publisher) commit(ctx context.Context, resource string, o lifecycle.Observation, at place) (stored place, err error) {
	ctx, span := p.tracer.Produce(ctx, "publish")
	var id string
	defer func() { endPublish(span, p.names.EventStream(), id, o, stored, err) }()
	// The payload limit is asked for each time: another server of a cluster may have another.
	encoder := event.Encoder{Names: p.names, BaseURL: p.baseURL, MaxPayload: int(p.nc.MaxPayload())}
	if made := p.follower.made.Load(); made != 0 {
		encoder.Log = time.Unix(0, made)
	}
	encoder.Origin, encoder.Span = event.Trace(tracing.Origin(ctx)), event.Trace(tracing.Here(ctx))
	m := messages.Get().(*event.Message)
	if err := encoder.Encode(m, o, at.fact, time.Now()); err != nil {
		return place{}, encodeError{err}
	}
	m.Expect(p.names.EventStream(), p.names.Filter(resource), at.expect)
	publishing, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	asked := time.Now()
	// THE COMMIT POINT. Before the acknowledgement nothing has happened: whoever told us tells again,
	// or the next poll shows it. After it the event is real: a crash here loses our answer
	// and our memory of it, and the same observation then reads as a repeat.
	sequence, err := p.committer.send(publishing, &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Payload})
	if err != nil {
		p.metrics.unacked(o, err)
		return place{}, troubleOf(ctx, fmt.Errorf("publish to %s: %w", m.Subject, err))
	}
	p.watchdog.gate.worked()
	p.follower.noteEnd(sequence)
	p.metrics.acked(o, asked)
	id = m.ID
	fact := m.Fact // by itself: the message becomes another
	fact.Sequence = sequence
	recycle(m)
	stored = place{fact: &fact, expect: sequence}
	p.heads.put(resource, stored)
	p.reader.recent.put(earlier{resource, fact, at.expect})
	return stored, nil
}

// messages are those whose room can be used again: they were acknowledged, so nobody reads them any longer.
var messages = sync.Pool{New: func() any { return new(event.Message) }}

// mostRoom is how many bytes a payload may take up for its room to be used again. One that has grown does not shrink: in
// time each would have the size of the largest record there was.
const mostRoom = 64 << 10

// recycle leaves the room of a message to the next.
func recycle(m *event.Message) {
	if cap(m.Payload) <= mostRoom {
		messages.Put(m)
	}
}
