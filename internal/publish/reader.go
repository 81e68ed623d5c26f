package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/streams"
)

// A reader reads single events, from the stream's leader: a replica that lags may serve a direct get, and a
// decision to write nothing must not be based on that.
type reader struct {
	js     jetstream.JetStream
	names  event.Names
	recent *recentEvents
	get    func(ctx context.Context, stream string, request map[string]any) (*storedMessage, error) // [getFromLeader]
}

func newReader(js jetstream.JetStream, names event.Names) *reader {
	return &reader{js, names, newRecentEvents(), func(ctx context.Context, stream string, request map[string]any) (*storedMessage, error) {
		return getFromLeader(ctx, js, stream, request)
	}}
}

// codeNoMessage is JetStream's code for "no message found".
const codeNoMessage jetstream.ErrorCode = 10037

// storedMessage is a message in a response of STREAM.MSG.GET.
type storedMessage struct {
	Subject  string `json:"subject"`
	Sequence uint64 `json:"seq"`
	Header   []byte `json:"hdrs"`
	Data     []byte `json:"data"`
}

// last returns the head of a resource: its last event in the log or, if that aged out, the one in the state bucket.
func (r *reader) last(ctx context.Context, resource string) (head, error) {
	at, err := r.inLog(ctx, resource)
	if err != nil || at.fact != nil {
		return at, err
	}
	if at, err = r.inStateBucket(ctx, resource); err != nil || at.fact == nil {
		return at, err
	}
	// The event in the state bucket may be one that the log got after it was read: read the log once more.
	if now, err := r.inLog(ctx, resource); err != nil || now.fact != nil {
		return now, err
	}
	return at, nil
}

// inLog returns the head of a resource from the log; without an event if the log has none.
func (r *reader) inLog(ctx context.Context, resource string) (head, error) {
	filter := r.names.Filter(resource)
	m, err := r.get(ctx, r.names.EventStream(), map[string]any{"last_by_subj": filter})
	if err != nil {
		return head{}, fmt.Errorf("read the last event on %s: %w", filter, err)
	}
	if m == nil {
		return head{}, nil
	}
	h, err := m.header()
	if err != nil {
		return head{}, err
	}
	fact, err := event.FactOf(h, m.Sequence)
	if err != nil {
		return head{}, fmt.Errorf("foreign message in %s on %s, where only the bridge may publish: %w", r.names.EventStream(), m.Subject, err)
	}
	return head{fact: &fact, expect: fact.Sequence}, nil
}

// inStateBucket returns the head of a resource that the log no longer has, from the state bucket.
func (r *reader) inStateBucket(ctx context.Context, resource string) (head, error) {
	subject := r.names.StateSubject(resource)
	m, err := r.get(ctx, r.names.StateStream(), map[string]any{"last_by_subj": subject})
	if err != nil {
		return head{}, fmt.Errorf("read %s: %w", subject, err)
	}
	if m == nil {
		return head{}, nil
	}
	h, err := m.header()
	if err != nil {
		return head{}, err
	}
	fact, err := event.FactOfState(h)
	if err != nil {
		return head{}, fmt.Errorf("%s: %w", subject, err)
	}
	return head{fact: &fact, expect: 0}, nil
}

// How many of a resource's latest events are searched for one that already records a delivery: maxSearchUnapplied for a
// delivery that would be unapplied, and maxSearchNews for one that would be news. News can only be a duplicate if its sender
// gave an old delivery a new time.
const (
	maxSearchUnapplied = 200
	maxSearchNews      = 16
)

// alreadyRecorded reports whether one of a resource's latest events, at most limit, records the observation. It reads
// backwards from the event at the sequence last.
func (r *reader) alreadyRecorded(ctx context.Context, resource string, last uint64, limit int, o lifecycle.Observation) (bool, error) {
	for sequence := last; sequence > 0 && limit > 0; limit-- {
		e, err := r.eventAt(ctx, resource, sequence)
		if err != nil {
			return false, fmt.Errorf("search the events of %s, at sequence %d: %w", resource, sequence, err)
		}
		if e.resource != resource {
			return false, nil // aged out, and the events before it too
		}
		if e.fact.Records(o) {
			return true, nil
		}
		sequence = e.previous
	}
	return false, nil
}

// eventAt returns the event at a sequence, from the cache of recent events if it is there. If the log has no event of the
// resource at the sequence, the result is empty: its resource is "".
func (r *reader) eventAt(ctx context.Context, resource string, sequence uint64) (loggedEvent, error) {
	if e, ok := r.recent.get(sequence); ok {
		return e, nil
	}
	m, err := r.get(ctx, r.names.EventStream(), map[string]any{"seq": sequence})
	if err != nil || m == nil || event.ResourceOf(m.Subject[len(r.names.Prefix())+1:]) != resource {
		return loggedEvent{}, err
	}
	h, err := m.header()
	if err != nil {
		return loggedEvent{}, err
	}
	e, err := loggedEventOf(resource, h, sequence)
	if err == nil {
		r.recent.put(e)
	}
	return e, err
}

// loggedEventOf decodes an event's headers. The sequence that its write expected is among them: it is that of the resource's
// event before it.
func loggedEventOf(resource string, h nats.Header, sequence uint64) (loggedEvent, error) {
	fact, err := event.FactOf(h, sequence)
	if err != nil {
		return loggedEvent{}, err
	}
	previous, err := strconv.ParseUint(h.Get(jetstream.ExpectedLastSubjSeqHeader), 10, 64)
	if err != nil {
		return loggedEvent{}, fmt.Errorf("header %s: %w", jetstream.ExpectedLastSubjSeqHeader, err)
	}
	return loggedEvent{resource, fact, previous}, nil
}

// getFromLeader reads one message from the stream's leader; nil if there is none.
func getFromLeader(ctx context.Context, js jetstream.JetStream, stream string, request map[string]any) (*storedMessage, error) {
	reading, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	reply, err := js.Conn().RequestWithContext(reading, streams.APIPrefix(js)+"STREAM.MSG.GET."+stream, body)
	if err != nil {
		return nil, readError{err}
	}
	var response struct {
		Error   *jetstream.APIError `json:"error"`
		Message *storedMessage      `json:"message"`
	}
	if err := json.Unmarshal(reply.Data, &response); err != nil {
		return nil, fmt.Errorf("decode response about stream %s: %w", stream, err)
	}
	if response.Error != nil {
		if response.Error.ErrorCode == codeNoMessage {
			return nil, nil
		}
		return nil, readError{response.Error}
	}
	return response.Message, nil
}

func (m *storedMessage) header() (nats.Header, error) {
	if len(m.Header) == 0 {
		return nats.Header{}, nil
	}
	h, err := nats.DecodeHeadersMsg(m.Header)
	if err != nil {
		return nil, fmt.Errorf("headers of message %d on %s: %w", m.Sequence, m.Subject, err)
	}
	return h, nil
}

// lastSequence returns the sequence of the resource's last event, as the log's leader has it; 0 if there is none, or if the
// leader does not say. It is part of the refusal of a write that expects an impossible sequence (see [Publisher.confirm]).
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
			return 0, nil // confirm reads the head instead
		}
		return last, nil
	}
	switch {
	case streams.Conflicted(err): // another write is in flight
		return 0, nil
	case err == nil:
		return 0, fmt.Errorf("stream %s does not check expected sequences", r.names.EventStream())
	}
	return 0, asStoreError(ctx, fmt.Errorf("get from %s the last sequence on %s: %w", r.names.EventStream(), r.names.Filter(resource), err))
}
