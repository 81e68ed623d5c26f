package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
)

// A Retrier sends dead letters again, by the rules of a file.
type Retrier struct {
	File  *File
	JS    jetstream.JetStream // for letters without their event, which the log has
	Names event.Names
	Dead  DeadLetters
	Open  func(*Rule) (Target, error) // nil: [Rule.OpenTarget]

	targets map[string]Target // by the name of the rule
}

// Retry tries once to send a dead letter, and deletes it when the target has it.
func (r *Retrier) Retry(ctx context.Context, l Letter) error {
	rule := r.File.Find(l.Rule)
	if rule == nil {
		return fmt.Errorf("the rules file has no rule %s", l.Rule)
	}
	target, err := r.target(rule)
	if err != nil {
		return err
	}
	payload, err := r.payload(ctx, l)
	if err != nil {
		return err
	}
	e, err := event.Decode(payload)
	if err != nil {
		return err
	}
	m, err := rule.Render(e, payload, l.Count)
	if err != nil {
		return err
	}
	sending, cancel := context.WithTimeout(ctx, time.Duration(rule.Retry.Timeout))
	defer cancel()
	if err := target.Send(sending, m); err != nil {
		return err
	}
	if err := r.Dead.Delete(ctx, l.Number); err != nil {
		return fmt.Errorf("the message was sent, but its dead letter cannot be deleted: %w", err)
	}
	return nil
}

// target opens the target of a rule, once.
func (r *Retrier) target(rule *Rule) (t Target, err error) {
	if t, ok := r.targets[rule.Name]; ok {
		return t, nil
	}
	open := r.Open
	if open == nil {
		open = (*Rule).OpenTarget
	}
	if t, err = open(rule); err != nil {
		return nil, err
	}
	if r.targets == nil {
		r.targets = map[string]Target{}
	}
	r.targets[rule.Name] = t
	return t, nil
}

// payload returns the event of a letter, from the log if the letter was too large to hold it.
func (r *Retrier) payload(ctx context.Context, l Letter) ([]byte, error) {
	if len(l.Event) > 0 {
		return l.Event, nil
	}
	stream, err := r.JS.Stream(ctx, r.Names.EventStream())
	if err != nil {
		return nil, err
	}
	m, err := stream.GetMsg(ctx, l.Sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, fmt.Errorf("the log no longer has event %d, and its dead letter was too large to hold it", l.Sequence)
	}
	if err != nil {
		return nil, err
	}
	return m.Data, nil
}
