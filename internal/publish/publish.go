package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/pause"
	"mkio-bridge/internal/streams"
	"mkio-bridge/internal/tracing"
)

// Limits of one observation. A webhook's sender waits meanwhile.
const (
	patience  = 8 * time.Second       // for all of it
	ackWait   = 3 * time.Second       // for one acknowledgement; a stream that elects a leader drops what it is sent, so to wait longer is in vain
	readWait  = 2 * time.Second       // for one look at the stream
	retryWait = 10 * time.Millisecond // until a replicated stream shows the write that won
	maxWait   = 250 * time.Millisecond
)

// ErrUnavailable is for an observation that JetStream cannot store now. Observing it again is safe.
var ErrUnavailable = errors.New("JetStream cannot store it now")

// Config is what a publisher needs to know.
type Config struct {
	Names   event.Names
	BaseURL string // of MK.IO's API; events' sources lie below it
	// ByArrival takes facts that no evidence orders in order of arrival: for a bridge that cannot ask
	// MK.IO.
	ByArrival bool
	Log       *slog.Logger
	Tracer    tracing.Tracer
	Streams   streams.Config // as [streams.Ensure] made them: [Publisher.Follow] makes again what somebody deletes
	Look      time.Duration  // between two looks at them while all is well; 0: half a minute
}

// A Publisher writes events. Its methods may be called from any number of goroutines.
type Publisher struct {
	nc        *nats.Conn
	js        jetstream.JetStream
	log       *slog.Logger
	tracer    tracing.Tracer
	names     event.Names
	baseURL   string
	reader    reader
	known     known
	turns     turns
	committer *committer
	loaded    atomic.Uint64 // the sequence of the log up to which the memory is true
	end       atomic.Uint64 // the highest sequence that the log was seen to have
	behind    atomic.Bool   // the state bucket had not caught up with the log when it was read
	made      atomic.Int64  // when the log that is remembered was made; 0: none is
	epoch     atomic.Uint64 // how often all was forgotten
	missing   atomic.Int64  // events in the middle of the log that it has no more
	trims     atomic.Bool   // the log has forgotten something, or may
	byArrival bool
	metrics   *metrics
	ledger    *ledger

	streams *streams.Watcher
	gate    *gate // of the log
	aside   *gate // of what becomes no event
	health  health
	wake    chan struct{}                           // holds a token when the guard is to look
	reading atomic.Pointer[context.CancelCauseFunc] // ends the tail, so that all is read again
}

// New returns a publisher on streams that [streams.Ensure] has seen, by a JetStream as the broker makes it: it tries a write once.
// [Publisher.Load] fills its memory.
func New(nc *nats.Conn, js jetstream.JetStream, c Config) *Publisher {
	p := &Publisher{
		nc:        nc,
		js:        js,
		log:       c.Log,
		tracer:    c.Tracer,
		names:     c.Names,
		baseURL:   strings.TrimRight(c.BaseURL, "/"),
		reader:    newReader(js, c.Names),
		known:     newKnown(),
		turns:     turns{queues: map[string][]chan struct{}{}},
		committer: newCommitter(nc, js),
		byArrival: c.ByArrival,
		metrics:   newMetrics(),
		ledger:    newLedger(),
		health:    health{turn: make(chan struct{}, 1)},
		wake:      make(chan struct{}, 1),
	}
	c.Streams.Names = c.Names
	p.streams = streams.NewWatcher(js, c.Streams, c.Look, c.Log)
	p.gate, p.aside = newGate(c.Names.EventStream(), c.Log, p.wake), newGate(c.Names.UnappliedStream(), c.Log, p.wake)
	p.trims.Store(true) // until the log was seen to keep everything
	return p
}

// Observe makes of an observation the resource's next event, or none, and says which. Observations of
// one resource are taken one after the other; those of different resources do not wait for each
// other. It returns within a few seconds, and at once while it is known that JetStream cannot store; every
// error wraps [ErrUnavailable].
func (p *Publisher) Observe(ctx context.Context, o lifecycle.Observation) (verdict lifecycle.Verdict, err error) {
	ctx, span := p.tracer.Start(ctx, "observe")
	defer func() { endObserve(span, o, verdict, err) }()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	resource := p.names.Resource(o.Key)
	through, err := p.gate.pass()
	if err != nil {
		p.metrics.failed.Inc()
		return lifecycle.Verdict{}, fmt.Errorf("%w: %s: %w", ErrUnavailable, o.Key, err)
	}
	if err := p.turns.take(ctx, resource, through.shutting); err != nil {
		p.metrics.failed.Inc()
		return lifecycle.Verdict{}, fmt.Errorf("%w: %s: waiting for its turn: %w", ErrUnavailable, o.Key, err)
	}
	defer p.turns.leave(resource)
	at := p.known.get(resource)
	verdict, err = p.observe(ctx, resource, o, at)
	if err != nil {
		p.gate.shut(through, err)
		if unread(err) {
			rouse(p.wake) // whether JetStream stores, a write tells
		}
		p.metrics.failed.Inc()
		return verdict, fmt.Errorf("%w: %s: %w", ErrUnavailable, o.Key, err)
	}
	p.ledger.note(resource, at.fact, o, verdict)
	p.metrics.became(o, verdict.Outcome)
	p.logged(ctx, resource, o, verdict)
	return verdict, nil
}

// observe decides, first by where the resource is known to be, and writes until both rest on what the stream holds.
func (p *Publisher) observe(ctx context.Context, resource string, o lifecycle.Observation, at place) (lifecycle.Verdict, error) {
	fresh, failed := false, false
	ended := uint64(0) // the sequence of the Deleted that this very observation implied
	for wait := retryWait; ; wait = min(2*wait, maxWait) {
		var verdict lifecycle.Verdict
		var err error
		verdict, at, err = p.judge(ctx, resource, o, at, fresh)
		if ended > 0 && at.fact != nil && at.fact.Sequence == ended {
			verdict = verdict.Following()
		}
		if err == nil && verdict.Outcome == lifecycle.Flap {
			p.known.flapped(resource, at, o.At)
		}
		if err != nil || !verdict.News() {
			return verdict, err
		}
		next := o
		if verdict.Outcome == lifecycle.Reborn {
			next = lifecycle.Deletion(*at.fact, o)
		}
		stored, err := p.commit(ctx, resource, next, at)
		switch {
		case err == nil && verdict.Outcome == lifecycle.Changed:
			return verdict, nil
		case err == nil:
			// The end of the former life is recorded; what was seen comes behind it.
			ended = stored.fact.Sequence
			if o.Basis != nil {
				o.Basis = &stored.fact.Sequence
			}
		case permanent(err), unanswered(err), troubled(err) && failed:
			return verdict, err
		case wait > retryWait:
			if err := pause.For(ctx, wait); err != nil {
				return verdict, err
			}
		}
		failed = troubled(err)
		if at, err = p.lookAfter(ctx, resource, err); err != nil {
			return verdict, err
		}
		fresh = true
	}
}

// judge decides what becomes of an observation of a resource at a place (fresh: as just read from
// the stream), and returns the place that the verdict rests on.
func (p *Publisher) judge(ctx context.Context, resource string, o lifecycle.Observation, at place, fresh bool) (lifecycle.Verdict, place, error) {
	if at.fact == nil && !fresh && p.trims.Load() {
		// A log that forgets does not refuse a second first event: whether there was one the state bucket tells.
		at, err := p.look(ctx, resource)
		if err != nil {
			return lifecycle.Verdict{}, at, err
		}
		return p.judge(ctx, resource, o, at, true)
	}
	verdict := at.decide(o)
	// A webhook that becomes no event must not rest on memory: nobody would tell it again. A poll may:
	// memory follows the log, and the next look shows the same again.
	if !verdict.News() && !fresh && o.Basis == nil {
		at, err := p.fresh(ctx, resource, at)
		if err != nil {
			return verdict, at, err
		}
		return p.judge(ctx, resource, o, at, true)
	}
	if verdict.MayBeRecorded(at.fact, o) {
		most := maxEarlier
		if verdict.News() {
			most = maxRecent
		}
		told, err := p.reader.tells(ctx, resource, at.expect, most, o)
		if err != nil {
			return verdict, at, err
		}
		if told {
			return lifecycle.Verdict{Outcome: lifecycle.Repeat, Why: "an earlier event tells it"}, at, nil
		}
	}
	// A channel instance has no address to ask. What is retried does not arrive: it came long ago.
	if !o.Retried && (p.byArrival || o.Key.Kind == lifecycle.ChannelInstance) {
		verdict = verdict.ByArrival()
	}
	return verdict, at, nil
}

// commit writes the resource's next event behind the place it is known to be at.
func (p *Publisher) commit(ctx context.Context, resource string, o lifecycle.Observation, at place) (stored place, err error) {
	ctx, span := p.tracer.Produce(ctx, "publish")
	var id string
	defer func() { p.endPublish(span, id, o, stored, err) }()
	// The payload limit is asked for each time: another server of a cluster may have another.
	encoder := event.Encoder{Names: p.names, BaseURL: p.baseURL, MaxPayload: int(p.nc.MaxPayload())}
	if made := p.made.Load(); made != 0 {
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
	sequence, err := p.committer.commit(publishing, &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Payload})
	if err != nil {
		p.metrics.unacked(o, err)
		return place{}, troubleOf(ctx, fmt.Errorf("publish to %s: %w", m.Subject, err))
	}
	p.gate.worked()
	p.noteEnd(sequence)
	p.metrics.acked(o, asked)
	id = m.ID
	fact := m.Fact // by itself: the message becomes another
	fact.Sequence = sequence
	recycle(m)
	stored = place{fact: &fact, expect: sequence}
	p.known.put(resource, stored)
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

// lookAfter looks after a write, which failed with err or (nil) did not.
func (p *Publisher) lookAfter(ctx context.Context, resource string, err error) (place, error) {
	at, lookErr := p.look(ctx, resource)
	if lookErr != nil {
		return at, errors.Join(err, lookErr)
	}
	return at, nil
}

// look reads where the resource stands from the stream, and remembers it.
func (p *Publisher) look(ctx context.Context, resource string) (place, error) {
	asked := p.known.sequence(resource)
	at, err := p.reader.last(ctx, resource)
	if err != nil {
		return place{}, err
	}
	if at.fact != nil && at.expect == 0 && !p.trims.Load() {
		// It cannot have aged out: nothing may be written behind what the log does not have.
		return place{}, trouble{fmt.Errorf("%s has event %d of %s, and the log, which keeps everything, does not: the log is another one, or has lost it", p.names.StateStream(), at.fact.Sequence, resource)}
	}
	if at.fact == nil {
		p.known.remove(resource, asked)
		return at, nil
	}
	p.known.put(resource, at)
	if here := p.known.get(resource); here.fact != nil && here.fact.Sequence == at.fact.Sequence {
		at.again = here.again // which the stream does not hold
	}
	return at, nil
}

// encodeError is for an event that cannot be written down, however often it is tried.
type encodeError struct{ error }

func (e encodeError) Unwrap() error { return e.error }

// permanent says whether reading the stream and deciding again cannot help: JetStream answered, and
// not with a conflict, or there is no event to publish.
func permanent(err error) bool {
	if _, ok := errors.AsType[encodeError](err); ok {
		return true
	}
	_, answered := errors.AsType[*jetstream.APIError](err)
	return answered && !streams.Conflicted(err)
}

// unanswered says whether JetStream let a write wait until the end. Nobody waits for it again: whoever told us
// tells again, and finds out what became of it.
func unanswered(err error) bool { return errors.Is(err, context.DeadlineExceeded) }

// troubled says whether an error is JetStream's trouble.
func troubled(err error) bool {
	_, ok := errors.AsType[trouble](err)
	return ok
}
