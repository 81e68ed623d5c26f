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

// commit writes the resource's next event, with the expected sequence of the given head.
func (p *Publisher) commit(ctx context.Context, resource string, o lifecycle.Observation, at head) (stored head, err error) {
	ctx, span := p.tracer.Produce(ctx, "publish")
	var id string
	defer func() { endPublish(span, p.names.EventStream(), id, o, stored, err) }()
	// The payload limit is read for each event: after a reconnect, another server of the cluster may have another.
	encoder := event.Encoder{Names: p.names, BaseURL: p.baseURL, MaxPayload: int(p.nc.MaxPayload())}
	if created := p.follower.logCreated.Load(); created != 0 {
		encoder.Log = time.Unix(0, created)
	}
	encoder.Origin, encoder.Span = event.Trace(tracing.Origin(ctx)), event.Trace(tracing.Current(ctx))
	m := messages.Get().(*event.Message)
	if err := encoder.Encode(m, o, at.fact, time.Now()); err != nil {
		return head{}, encodeError{err}
	}
	m.Expect(p.names.EventStream(), p.names.Filter(resource), at.expect)
	publishing, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	sent := time.Now()
	// THE COMMIT POINT. Before the acknowledgement nothing is promised: MK.IO delivers again, or the next poll observes the
	// same. After it the event is stored: a crash here loses only our response and the cached head, and the same observation is
	// then a duplicate.
	sequence, err := p.committer.send(publishing, &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Payload})
	if err != nil {
		p.metrics.countFailed(o, err)
		return head{}, asStoreError(ctx, fmt.Errorf("publish to %s: %w", m.Subject, err))
	}
	p.watchdog.logBreaker.acknowledged()
	p.follower.advanceLogEnd(sequence)
	p.metrics.countStored(o, sent)
	id = m.ID
	fact := m.Fact // a copy: the message is reused
	fact.Sequence = sequence
	recycle(m)
	stored = head{fact: &fact, expect: sequence}
	p.heads.put(resource, stored)
	p.reader.recent.put(loggedEvent{resource, fact, at.expect})
	return stored, nil
}

// messages is a pool of acknowledged messages whose buffers can be reused.
var messages = sync.Pool{New: func() any { return new(event.Message) }}

// maxReused is the largest payload buffer, in bytes, that goes back to the pool. A grown buffer does not shrink: in
// time each would have the size of the largest record.
const maxReused = 64 << 10

// recycle returns a message to the pool.
func recycle(m *event.Message) {
	if cap(m.Payload) <= maxReused {
		messages.Put(m)
	}
}
