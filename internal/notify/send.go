package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/pause"
)

// deliver sends events as one message, and acknowledges them when the target has it or its dead letter is stored. It returns
// false if the session stopped before.
func (s *session) deliver(batch []*item) bool {
	newest := batch[len(batch)-1]
	if s.rule.Muted(time.Now()) {
		s.gauges.muted(len(batch))
		s.acknowledge(batch)
		return true
	}
	id, tries, err := s.try(newest, len(batch))
	if errors.Is(err, errStopped) {
		return false
	}
	if err != nil && !s.giveUp(batch, id, tries, err) {
		return false
	}
	s.acknowledge(batch)
	return true
}

// render makes the message. What is not an event, or fails its template, is refused for good.
func (s *session) render(it *item, count int) (Message, error) {
	e, err := event.Decode(it.payload)
	if err != nil {
		return Message{Rule: s.rule.Name, Count: count}, err
	}
	m, err := s.rule.Render(e, it.payload, count)
	m.Rule, m.Event, m.Count = s.rule.Name, e.Event, count
	return m, err
}

// errStopped is for a message that is not settled when the session stops.
var errStopped = errors.New("the session stops")

// try sends a message until the target has it, refuses it for good, or the last try has failed. It returns the event's id and
// the number of tries. The message is made anew for each try: thousands may wait for theirs.
func (s *session) try(newest *item, count int) (id string, tries int, err error) {
	pauses := &backoff.ExponentialBackOff{
		InitialInterval: time.Duration(s.rule.Retry.First), Multiplier: 2, RandomizationFactor: 0.2, MaxInterval: time.Duration(s.rule.Retry.Max),
	}
	for tries = 1; ; tries++ {
		if err = s.waitForTurn(); err != nil {
			return id, tries, err
		}
		m, invalid := s.render(newest, count)
		id = m.Event.ID()
		if invalid != nil {
			<-s.slots
			return id, tries - 1, invalid
		}
		err = s.send(m)
		<-s.slots
		if limited, ok := errors.AsType[*Limited](err); ok {
			s.holdBack(limited.After)
			tries--
			continue
		}
		if err == nil {
			s.gauges.sent()
			s.Log.Info("message sent", "rule", s.rule.Name, "id", id, "events", count, "try", tries)
			return id, tries, nil
		}
		s.gauges.failed(err)
		wait := pauses.NextBackOff()
		if later, ok := errors.AsType[*RetryAfter](err); ok {
			wait = max(wait, later.After)
			s.holdBack(wait) // also after the last try: the target wants no other message either
		}
		if _, permanent := errors.AsType[*Permanent](err); permanent || tries >= s.rule.Retry.Tries {
			return id, tries, err
		}
		s.Log.Warn("message not sent; retrying", "rule", s.rule.Name, "id", id, "try", tries, "after", wait.Round(time.Millisecond), "error", err)
		if pause.For(s.stopping, wait) != nil {
			return id, tries, errStopped
		}
		s.gauges.retried()
	}
}

// holdBack delays all messages of the rule: the target asked for a pause.
func (s *session) holdBack(wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if until := time.Now().Add(wait); until.After(s.notBefore) {
		s.notBefore = until
	}
}

// waitForTurn waits for a slot, and until the target takes messages again. The caller frees the slot.
func (s *session) waitForTurn() error {
	for {
		select {
		case s.slots <- struct{}{}:
		case <-s.stopping.Done():
			return errStopped
		}
		s.mu.Lock()
		wait := time.Until(s.notBefore)
		s.mu.Unlock()
		if wait <= 0 {
			if s.stopping.Err() == nil {
				return nil
			}
			<-s.slots
			return errStopped
		}
		<-s.slots
		if pause.For(s.stopping, wait) != nil {
			return errStopped
		}
	}
}

// send tries once. A try that has begun is completed when the session stops: the target may have read part of it.
func (s *session) send(m Message) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.stopping), time.Duration(s.rule.Retry.Timeout))
	defer cancel()
	defer func() {
		if r := recover(); r != nil { // it must not stop the delivery of all other events
			err = &Permanent{fmt.Errorf("target panicked: %v", r)}
		}
	}()
	return s.target.Send(ctx, m)
}

// giveUp stores the dead letter of a message, and reports whether it is stored. Until then it tries again, because the events
// must not be lost.
func (s *session) giveUp(batch []*item, id string, tries int, reason error) bool {
	newest := batch[len(batch)-1]
	l := Letter{
		Time: time.Now().UTC(), Rule: s.rule.Name, ID: id, Subject: newest.subject, Sequence: newest.sequence,
		First: batch[0].sequence, Count: len(batch), Tries: tries, Reason: reason.Error(), Event: newest.payload,
	}
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.stopping), ackTimeout)
		err := s.Dead.Store(ctx, l)
		cancel()
		if err == nil {
			s.gauges.died()
			s.Log.Error("message given up; its dead letter is stored", "rule", l.Rule, "id", l.ID, "events", l.Count, "tries", l.Tries, "reason", reason)
			return true
		}
		s.Log.Error("dead letter cannot be stored; retrying", "rule", l.Rule, "id", l.ID, "where", s.Dead.String(), "error", err)
		if pause.For(s.stopping, wait) != nil {
			return false
		}
	}
}

// ackTimeout limits one acknowledgement, and storing one dead letter.
const ackTimeout = 5 * time.Second

// acknowledge acknowledges events, the newest with a confirmation, and lets go of them. Without a connection it retries: the
// events would be sent again. When the session stops before, finish acknowledges them.
func (s *session) acknowledge(batch []*item) {
	last := len(batch) - 1
	for {
		replies := s.settleAll(batch)
		for _, reply := range replies[:last] {
			s.publish(reply, "+ACK")
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.stopping), ackTimeout)
		_, err := s.NC.RequestWithContext(ctx, replies[last], []byte("+ACK"))
		cancel()
		if err == nil {
			break
		}
		if s.stopping.Err() == nil {
			s.Log.Warn("acknowledgement not confirmed; retrying", "rule", s.rule.Name, "error", err)
		}
		if pause.For(s.stopping, time.Second) != nil {
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range batch {
		delete(s.held, it.sequence)
	}
}

// settleAll marks events as settled, and returns where they are acknowledged.
func (s *session) settleAll(batch []*item) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	replies := make([]string, len(batch))
	for i, it := range batch {
		it.settled, replies[i] = true, it.reply
	}
	return replies
}
