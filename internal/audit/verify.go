package audit

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
)

// A Report is what a log turned out to be.
type Report struct {
	First     uint64  `json:"first"` // sequence of the first event that the log has
	Last      uint64  `json:"last"`
	Events    int     `json:"events"`
	Resources int     `json:"resources"`
	Wrong     int     `json:"wrong"` // how much is wrong
	Errors    []error `json:"-"`     // the first of it
	Root      Root    `json:"-"`
}

// maxErrors is how much of what is wrong is kept: where one byte is, much may be.
const maxErrors = 100

func (r *Report) bad(err error) {
	if r.Wrong++; r.Wrong <= maxErrors {
		r.Errors = append(r.Errors, err)
	}
}

// Options say what a log is held against.
type Options struct {
	Root   *Root                      // an earlier one: nothing up to it was changed or cut off; nil: there is none
	Erased func(sequence uint64) bool // the events that somebody took out on purpose; nil: none
	Step   func(pending uint64)       // is called after each event with how many are left; nil: nobody asks
}

// Verify reads a log to its present end. The error says that it could not be read; what is wrong with it is in the report.
func Verify(ctx context.Context, js jetstream.JetStream, names event.Names, o Options) (*Report, error) {
	root := o.Root
	log := eventlog.New(js, names)
	info, err := log.Stream(ctx)
	if err != nil {
		return nil, err
	}
	config, state := info.Config, info.State
	r := &Report{First: state.FirstSeq, Last: state.LastSeq}
	if keeps := config.MaxAge == 0 && config.MaxBytes <= 0 && config.MaxMsgs <= 0; keeps {
		beginning := Chain{Erased: o.Erased}
		for _, hole := range beginning.holes(state.FirstSeq) {
			r.bad(fmt.Errorf("%s at the beginning of the log are gone, though it has no limit that would have it forget any", hole))
		}
	}
	if root != nil && root.Sequence > state.LastSeq {
		r.bad(fmt.Errorf("the log ends at event %d, and the root is of event %d: its end was cut off, or it is another log", state.LastSeq, root.Sequence))
		root = nil
	}
	if root != nil && root.Sequence+1 < state.FirstSeq {
		r.bad(fmt.Errorf("the log begins with event %d, and the root is of event %d: too much has aged out to compare; keep a root at least as often as the log's max_age", state.FirstSeq, root.Sequence))
		root = nil
	}
	left, err := leftOf(ctx, log, state.FirstSeq)
	if err != nil {
		return nil, err
	}
	chain := NewChain(names, state.FirstSeq)
	chain.Erased = o.Erased
	if root != nil {
		chain.Recall(root.Sequence)
	}
	if state.Msgs > 0 {
		if err := r.read(ctx, log, chain, state.LastSeq, o.Step); err != nil {
			return nil, err
		}
	}
	r.Resources = chain.Resources() + len(left)
	for _, hole := range chain.holes(state.LastSeq + 1) {
		r.bad(fmt.Errorf("%s at the end of the log are gone", hole))
	}
	chain.last = state.LastSeq
	if root != nil {
		if then := chain.Then(left); then != *root {
			r.bad(fmt.Errorf("up to event %d the log is not what it was when the root %s was taken: now it gives %s", root.Sequence, root, then))
		}
	}
	r.Root = chain.Root(left)
	return r, nil
}

// read takes all events of a log. What cannot be read is wrong, and the rest is read all the same.
func (r *Report) read(ctx context.Context, log *eventlog.Log, chain *Chain, last uint64, step func(uint64)) error {
	for raw, err := range log.Raw(ctx, eventlog.Query{From: chain.first, To: last}) {
		if err != nil {
			return err
		}
		r.Events++
		e, err := raw.Decode()
		if err != nil {
			r.bad(fmt.Errorf("event %d on %s cannot be read: %w", raw.Sequence, raw.Subject, err))
			chain.last = raw.Sequence
			continue
		}
		for _, err := range chain.Add(e) {
			r.bad(err)
		}
		if step != nil {
			step(raw.Pending)
		}
	}
	return nil
}

// leftOf returns the last events of resources that the log has none of any more: the state bucket keeps them.
func leftOf(ctx context.Context, log *eventlog.Log, first uint64) (map[string]Left, error) {
	left := map[string]Left{}
	if first <= 1 {
		return left, nil
	}
	for raw, err := range log.RawState(ctx, eventlog.Query{}) {
		if err != nil {
			return nil, err
		}
		if raw.Sequence >= first {
			continue
		}
		e, err := raw.Decode()
		if err != nil {
			return nil, err
		}
		left[e.Event.PartitionKey] = Left{raw.Sequence, e.Fact.Transition, event.Hash(raw.Payload)}
	}
	return left, nil
}
