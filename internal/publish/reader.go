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

// A reader looks up single events. It asks the stream's leader: a direct get may be answered by a
// replica that lags, and a decision to write nothing must not rest on that.
type reader struct {
	js     jetstream.JetStream
	names  event.Names
	recent *recent
	get    func(ctx context.Context, stream string, request map[string]any) (*stored, error) // [askLeader]
}

func newReader(js jetstream.JetStream, names event.Names) *reader {
	return &reader{js, names, newRecent(), func(ctx context.Context, stream string, request map[string]any) (*stored, error) {
		return askLeader(ctx, js, stream, request)
	}}
}

// codeNoMessage is JetStream's code for "no message found".
const codeNoMessage jetstream.ErrorCode = 10037

// stored is a message as STREAM.MSG.GET of JetStream's API answers it.
type stored struct {
	Subject  string `json:"subject"`
	Sequence uint64 `json:"seq"`
	Header   []byte `json:"hdrs"`
	Data     []byte `json:"data"`
}

// last returns the head of a resource: by its last event in the log or, if that aged out, by the one that the state bucket
// still has.
func (r *reader) last(ctx context.Context, resource string) (head, error) {
	at, err := r.inLog(ctx, resource)
	if err != nil || at.fact != nil {
		return at, err
	}
	if at, err = r.agedOut(ctx, resource); err != nil || at.fact == nil {
		return at, err
	}
	// The event in the state bucket may be one that the log got after it was read: read the log once more.
	if now, err := r.inLog(ctx, resource); err != nil || now.fact != nil {
		return now, err
	}
	return at, nil
}

// inLog returns the head by the resource's last event in the log; one without an event if there is none.
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
		return head{}, fmt.Errorf("%s on %s, which only the bridge may publish to: %w", r.names.EventStream(), m.Subject, err)
	}
	return head{fact: &fact, expect: fact.Sequence}, nil
}

// agedOut returns the head of a resource that the log no longer has, from the state bucket.
func (r *reader) agedOut(ctx context.Context, resource string) (head, error) {
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

// How many of a resource's latest events are searched for the one that a delivery repeats: maxEarlier for a delivery that
// would be unapplied, and maxRecent for one that would be news. News can only be a repeat if its sender gave an old delivery
// a new time.
const (
	maxEarlier = 200
	maxRecent  = 16
)

// tells says whether one of a resource's events already records the observation. It reads back from the last event, whose
// sequence is given, through most events.
func (r *reader) tells(ctx context.Context, resource string, last uint64, most int, o lifecycle.Observation) (bool, error) {
	for sequence := last; sequence > 0 && most > 0; most-- {
		e, err := r.earlier(ctx, resource, sequence)
		if err != nil {
			return false, fmt.Errorf("look through the events of %s, at %d: %w", resource, sequence, err)
		}
		if e.resource != resource {
			return false, nil // it has aged out, and so has what was before it
		}
		if e.fact.Tells(o) {
			return true, nil
		}
		sequence = e.before
	}
	return false, nil
}

// earlier returns the event at a sequence, from the cache of recent events if it is there. If the log has no event of the
// resource at the sequence, the result is empty: its resource is "".
func (r *reader) earlier(ctx context.Context, resource string, sequence uint64) (earlier, error) {
	if e, ok := r.recent.get(sequence); ok {
		return e, nil
	}
	m, err := r.get(ctx, r.names.EventStream(), map[string]any{"seq": sequence})
	if err != nil || m == nil || event.ResourceOf(m.Subject[len(r.names.Prefix())+1:]) != resource {
		return earlier{}, err
	}
	h, err := m.header()
	if err != nil {
		return earlier{}, err
	}
	e, err := earlierOf(resource, h, sequence)
	if err == nil {
		r.recent.put(e)
	}
	return e, err
}

// earlierOf reads an event's headers. The sequence that its write expected is stored with it, and leads to the event
// before it.
func earlierOf(resource string, h nats.Header, sequence uint64) (earlier, error) {
	fact, err := event.FactOf(h, sequence)
	if err != nil {
		return earlier{}, err
	}
	before, err := strconv.ParseUint(h.Get(jetstream.ExpectedLastSubjSeqHeader), 10, 64)
	if err != nil {
		return earlier{}, fmt.Errorf("header %s: %w", jetstream.ExpectedLastSubjSeqHeader, err)
	}
	return earlier{resource, fact, before}, nil
}

// askLeader asks the stream's leader for one message; nil when there is none.
func askLeader(ctx context.Context, js jetstream.JetStream, stream string, request map[string]any) (*stored, error) {
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
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message *stored             `json:"message"`
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return nil, fmt.Errorf("answer of stream %s: %w", stream, err)
	}
	if answer.Error != nil {
		if answer.Error.ErrorCode == codeNoMessage {
			return nil, nil
		}
		return nil, readError{answer.Error}
	}
	return answer.Message, nil
}

func (m *stored) header() (nats.Header, error) {
	if len(m.Header) == 0 {
		return nats.Header{}, nil
	}
	h, err := nats.DecodeHeadersMsg(m.Header)
	if err != nil {
		return nil, fmt.Errorf("headers of message %d on %s: %w", m.Sequence, m.Subject, err)
	}
	return h, nil
}

// lastSequence returns the sequence of the resource's last event in the log, as the log's leader has it; 0 when it has none, or
// does not say. It learns it from the refusal of a write that expects an impossible sequence (see [Publisher.confirm]).
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
