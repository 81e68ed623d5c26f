package notify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/pause"
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

// RetryAll tries each dead letter once, and calls sent for each that the target has. When a target does not take messages now,
// the further letters of its rule are left: messages about a resource keep their order, and nobody waits for each of thousands.
func (r *Retrier) RetryAll(ctx context.Context, letters []Letter, sent func(Letter) error) error {
	var errs []error
	left := map[string]int{} // letters that were not tried, by rule
	for _, l := range letters {
		if n, stopped := left[l.Rule]; stopped {
			left[l.Rule] = n + 1
			continue
		}
		err := r.Retry(ctx, l)
		if err == nil {
			if err := sent(l); err != nil {
				return err
			}
			continue
		}
		errs = append(errs, fmt.Errorf("dead letter %d of rule %s: %w", l.Number, l.Rule, err))
		if _, own := errors.AsType[*Permanent](err); !own {
			left[l.Rule] = 0
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(left)) {
		if n := left[rule]; n > 0 {
			errs = append(errs, fmt.Errorf("rule %s: %d further dead letters were not tried: run the command again when the target takes messages", rule, n))
		}
	}
	return errors.Join(errs...)
}

// Retry tries once to send a dead letter, and deletes it when the target has it. The error of a letter that cannot be sent,
// whatever the state of the target is, is a [*Permanent].
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
		return &Permanent{err}
	}
	m, err := rule.Render(e, payload, l.Count)
	if err != nil {
		return &Permanent{err}
	}
	if err := sendLimited(ctx, target, m, time.Duration(rule.Retry.Timeout)); err != nil {
		return err
	}
	if err := r.Dead.Delete(ctx, l.Number); err != nil {
		return fmt.Errorf("the message was sent, but its dead letter cannot be deleted: %w", err)
	}
	return nil
}

// sendLimited tries once to send a message, as soon as the target's rate allows it.
func sendLimited(ctx context.Context, target Target, m Message, timeout time.Duration) error {
	for {
		sending, cancel := context.WithTimeout(ctx, timeout)
		err := target.Send(sending, m)
		cancel()
		limited, ok := errors.AsType[*Limited](err)
		if !ok {
			return err
		}
		if pause.For(ctx, limited.After) != nil {
			return err
		}
	}
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
		return nil, &Permanent{fmt.Errorf("the log no longer has event %d, and its dead letter was too large to hold it", l.Sequence)}
	}
	if err != nil {
		return nil, err
	}
	return m.Data, nil
}
