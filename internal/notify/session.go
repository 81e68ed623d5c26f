package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/pause"
)

// A worker runs one rule.
type worker struct {
	Config
	rule   *Rule
	target Target
	gauges *ruleMetrics
	place  place // used by run only
	config jetstream.ConsumerConfig
}

// retrySession is the pause after a session that failed.
const retrySession = 2 * time.Second

// run runs sessions until the context ends.
func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := w.session(ctx)
		if err == nil || ctx.Err() != nil {
			continue
		}
		if !errors.Is(err, errMoved) {
			w.gauges.reading(err)
			w.Log.Warn("rule cannot read the log; retrying", "rule", w.rule.Name, "error", err)
		}
		_ = pause.For(ctx, retrySession) // the loop checks the context
	}
}

// errMoved ends the session of a process that is no longer pinned.
var errMoved = errors.New("another process runs the rule")

// An item is an event that the session holds: from its delivery to its acknowledgement.
type item struct {
	sequence uint64
	stored   time.Time
	subject  string
	reply    string // where it is acknowledged; a redelivery changes it
	lane     string
	payload  []byte // nil: dropped, in a group with a newer event. It is decoded again when it is sent: a decoded event is larger
	queued   bool   // in a lane
	settled  bool   // sent or a dead letter; only the acknowledgement is missing
}

// A session is one reading of the rule's consumer.
type session struct {
	*worker
	consumer jetstream.Consumer
	stopping context.Context // no try begins after its end
	lanes    sync.WaitGroup
	slots    chan struct{} // one for each message that is being sent
	arrived  chan struct{} // there is an event that waits for all others

	reportedAt time.Time // used by survey only

	mu        sync.Mutex
	held      map[uint64]*item // by sequence
	queues    map[string][]*item
	newest    map[string]*item // of each group, until the lanes are opened
	highest   uint64           // sequence of the newest event that was delivered
	open      bool             // all that is pending is held: lanes may run
	pin       string           // the pin under which the last event was delivered
	notBefore time.Time        // a target said when to try again
}

// session reads the consumer until the context ends or reading fails. What it then holds is given back to the server.
func (w *worker) session(ctx context.Context) error {
	consumer, err := w.openConsumer(ctx)
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(maxPending), jetstream.PullExpiry(pullExpiry),
		jetstream.PullPriorityGroup(priorityGroup), jetstream.WithMessagesErrOnMissingHeartbeat(false))
	if err != nil {
		return w.explain(ctx, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &session{
		worker: w, consumer: consumer, stopping: ctx, slots: make(chan struct{}, w.rule.Parallel),
		arrived: make(chan struct{}, 1), held: map[uint64]*item{}, queues: map[string][]*item{}, newest: map[string]*item{},
	}
	w.gauges.reading(nil)
	var watch sync.WaitGroup
	watch.Go(func() { s.settle(ctx) })
	watch.Go(func() { s.keepAlive(ctx) })
	watch.Go(func() { s.survey(ctx, cancel) })
	unregister := context.AfterFunc(ctx, messages.Drain)
	err = s.read(ctx, messages)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	cancel(nil)
	unregister()
	messages.Stop()
	watch.Wait()
	s.finish()
	return err
}

// read takes the events that the server delivers. When the context ends, those already delivered are given back.
func (s *session) read(ctx context.Context, messages jetstream.MessagesContext) error {
	for {
		m, err := messages.Next()
		switch {
		case err != nil && ctx.Err() == nil:
			return s.explain(ctx, err)
		case err != nil: // drained
			return nil //nolint:nilerr // the session was stopped
		case ctx.Err() != nil:
			s.publish(m.Reply(), "-NAK")
		default:
			if err := s.take(m); err != nil {
				return err
			}
		}
	}
}

// take holds an event, or acknowledges one that the rule does not send.
func (s *session) take(m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("message on %s is not from a stream: %w", m.Subject(), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkPin(m); err != nil {
		return err
	}
	if it := s.held[meta.Sequence.Stream]; it != nil { // delivered again, because a progress acknowledgement was lost
		it.reply = m.Reply()
		return nil
	}
	s.highest = max(s.highest, meta.Sequence.Stream)
	it := &item{sequence: meta.Sequence.Stream, stored: meta.Timestamp, subject: m.Subject(), reply: m.Reply(), payload: m.Data()}
	e, err := event.Decode(it.payload)
	if err == nil && !s.rule.Filter.Match(e) {
		s.publish(it.reply, "+ACK")
		return nil
	}
	it.lane = s.rule.laneOf(it.subject, e)
	s.hold(it)
	return nil
}

// hold holds an event: in its queue, or until the lanes are opened. The caller holds the lock.
func (s *session) hold(it *item) {
	s.held[it.sequence] = it
	if s.open {
		s.enqueue(it)
		return
	}
	if s.rule.Group != nil { // only the newest of a group is sent
		older := it
		if newest := s.newest[it.lane]; newest == nil || newest.sequence < it.sequence {
			older, s.newest[it.lane] = newest, it
		}
		if older != nil {
			older.payload = nil
		}
	}
	select {
	case s.arrived <- struct{}{}:
	default:
	}
}

// checkPin closes the lanes when the process was pinned anew: another one may have got events in between. A session that
// still holds events ends; the caller's event is given back with them. The caller holds the lock.
func (s *session) checkPin(m jetstream.Msg) error {
	pin := m.Headers().Get("Nats-Pin-Id")
	if s.pin != "" && s.pin != pin {
		if len(s.held) > 0 {
			s.publish(m.Reply(), "-NAK")
			return errMoved
		}
		s.open = false
	}
	s.pin = pin
	return nil
}

// Pauses between two comparisons of what is pending with what is held.
const (
	minSettle = 50 * time.Millisecond
	maxSettle = 2 * time.Second
)

// settle opens the lanes as soon as the session holds every pending event of the rule. What it holds is pending, so it holds
// all when the server has no more: the server is asked after the held events are counted.
func (s *session) settle(ctx context.Context) {
	wait := minSettle
	for {
		select {
		case <-s.arrived:
		case <-ctx.Done():
			return
		}
		held := s.count()
		info, err := s.consumer.Info(ctx)
		if err == nil && info.NumAckPending <= held {
			s.openLanes()
			wait = minSettle
			continue
		}
		if pause.For(ctx, wait) != nil {
			return
		}
		wait = min(2*wait, maxSettle)
		select {
		case s.arrived <- struct{}{}:
		default:
		}
	}
}

func (s *session) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.held)
}

// openLanes starts the lanes with what is held, oldest first.
func (s *session) openLanes() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = true
	clear(s.newest)
	for _, it := range s.sorted() {
		if !it.queued {
			s.enqueue(it)
		}
	}
}

// sorted returns the held events, oldest first. The caller holds the lock.
func (s *session) sorted() []*item {
	all := make([]*item, 0, len(s.held))
	for _, it := range s.held {
		all = append(all, it)
	}
	slices.SortFunc(all, func(a, b *item) int { return cmp.Compare(a.sequence, b.sequence) })
	return all
}

// keepAlive tells the server that the held events are being worked on, so that it does not deliver them again.
func (s *session) keepAlive(ctx context.Context) {
	for pause.For(ctx, progressEvery) == nil {
		s.mu.Lock()
		for _, it := range s.sorted() {
			s.publish(it.reply, "+WPI")
		}
		s.mu.Unlock()
	}
}

// surveyInterval is how often the consumer's info is read, for the metrics, and to notice that another process is pinned.
const surveyInterval = 5 * time.Second

// survey reads the consumer's info, and cancels a session that cannot continue: its process is no longer pinned, and the other
// one waits for the events that this one holds; or the consumer is gone, which nobody announces to a process that was not
// connected then.
func (s *session) survey(ctx context.Context, cancel context.CancelCauseFunc) {
	logged := false
	for {
		info, err := s.consumer.Info(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, jetstream.ErrConsumerNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
			cancel(s.explain(ctx, err))
			return
		case err != nil:
			err = s.explain(ctx, err)
			s.gauges.reading(err)
			if !logged {
				s.Log.Warn("state of a rule's consumer cannot be read; retrying", "rule", s.rule.Name, "error", err)
			}
			logged = true
		default:
			s.gauges.reading(nil)
			logged = false
			s.place.floor = max(s.place.floor, info.AckFloor.Stream)
			if active := s.observe(info); active {
				s.report(ctx, info.Config.Metadata)
			}
			if s.moved(info) {
				cancel(errMoved)
				return
			}
		}
		if pause.For(ctx, surveyInterval) != nil {
			return
		}
	}
}

// moved reports whether the server gives the rule's events to another process.
func (s *session) moved(info *jetstream.ConsumerInfo) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	pinned := pinnedTo(info)
	return len(s.held) > 0 && pinned != "" && s.pin != "" && pinned != s.pin
}

// pinnedTo returns the pin of the process that gets the events; "" if none.
func pinnedTo(info *jetstream.ConsumerInfo) string {
	for _, g := range info.PriorityGroups {
		if g.Group == priorityGroup {
			return g.PinnedClientID
		}
	}
	return ""
}

// observe sets the gauges of the rule, and reports whether this process runs it.
func (s *session) observe(info *jetstream.ConsumerInfo) (active bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var oldest time.Time
	for _, it := range s.held {
		if oldest.IsZero() || it.stored.Before(oldest) {
			oldest = it.stored
		}
	}
	switch {
	case !oldest.IsZero():
		s.place.settled = oldest
	case info.NumPending == 0:
		s.place.settled = time.Now()
	}
	active = s.pin != "" && s.pin == pinnedTo(info)
	s.gauges.observe(info.NumPending+uint64(max(info.NumAckPending, 0)), oldest, active)
	return active
}

// publish sends an acknowledgement without waiting for a confirmation. If it is lost, the event is delivered again.
func (s *session) publish(reply, kind string) {
	if err := s.NC.Publish(reply, []byte(kind)); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		s.Log.Debug("acknowledgement cannot be sent", "rule", s.rule.Name, "error", err)
	}
}

// finish waits for the messages that are being sent, and gives the rest back to the server.
func (s *session) finish() {
	s.lanes.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keepPlace()
	for _, it := range s.sorted() {
		if it.settled {
			s.publish(it.reply, "+ACK")
		} else {
			s.publish(it.reply, "-NAK")
		}
	}
	_ = s.NC.FlushTimeout(time.Second) // without a connection, the server delivers the events again after ackWait
}

// keepPlace notes up to where all events are settled, in case the consumer was deleted. While the lanes run, everything that
// was delivered before and is not held is settled. The caller holds the lock.
func (s *session) keepPlace() {
	if !s.open {
		return
	}
	floor := s.highest
	for _, it := range s.held {
		if !it.settled {
			floor = min(floor, it.sequence-1)
		}
	}
	s.place.floor = max(s.place.floor, floor)
}
