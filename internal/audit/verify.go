package audit

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
)

// A Report is the result of a verification.
type Report struct {
	Log       string  `json:"log"`   // its identity ([eventlog.Bounds])
	First     uint64  `json:"first"` // sequence of the log's first event
	Last      uint64  `json:"last"`
	Events    int     `json:"events"`
	Resources int     `json:"resources"`
	Wrong     int     `json:"wrong"` // number of violations
	Errors    []error `json:"-"`     // the first violations
	Root      Root    `json:"-"`
}

// MarshalJSON writes the report with the texts of its violations and of its root.
func (r *Report) MarshalJSON() ([]byte, error) {
	wrong := make([]string, len(r.Errors))
	for i, err := range r.Errors {
		wrong[i] = err.Error()
	}
	type plain Report // without this method
	return json.Marshal(struct {
		*plain
		Errors []string `json:"errors"`
		Root   string   `json:"root"`
	}{(*plain)(r), wrong, r.Root.String()})
}

// maxErrors limits Report.Errors: one wrong byte may cause many violations.
const maxErrors = 100

func (r *Report) add(err error) {
	if r.Wrong++; r.Wrong <= maxErrors {
		r.Errors = append(r.Errors, err)
	}
}

// Options configure a verification.
type Options struct {
	Root   *Root                      // a stored root, up to which nothing must have changed; nil: none
	Erased func(sequence uint64) bool // reports whether an event was erased on purpose; nil: none was
	Step   func(pending uint64)       // called after each event with the number of events left; may be nil
}

// Verify reads a log up to its current end. It returns an error if the log cannot be read; violations are in the report.
func Verify(ctx context.Context, js jetstream.JetStream, names event.Names, o Options) (*Report, error) {
	root := o.Root
	log := eventlog.New(js, names)
	info, err := log.Stream(ctx)
	if err != nil {
		return nil, err
	}
	config, state := info.Config, info.State
	r := &Report{Log: event.LogIdentity(info.Created), First: state.FirstSeq, Last: state.LastSeq}
	if keeps := config.MaxAge == 0 && config.MaxBytes <= 0 && config.MaxMsgs <= 0; keeps {
		beginning := Chain{Erased: o.Erased}
		for _, hole := range beginning.holes(state.FirstSeq) {
			r.add(fmt.Errorf("%s at the beginning of the log are missing, although the stream has no limit", hole))
		}
	}
	if root != nil && root.Sequence > state.LastSeq {
		r.add(fmt.Errorf("the log ends at event %d, before the root's event %d: its end was truncated, or it is another log", state.LastSeq, root.Sequence))
		root = nil
	}
	if root != nil && root.Sequence+1 < state.FirstSeq {
		r.add(fmt.Errorf("the log starts at event %d, after the root's event %d: too many events have aged out to compare; store a root at least once per max_age", state.FirstSeq, root.Sequence))
		root = nil
	}
	trimmed, err := trimmedHeads(ctx, log, state.FirstSeq)
	if err != nil {
		return nil, err
	}
	chain := NewChain(names, state.FirstSeq)
	chain.Erased = o.Erased
	if root != nil {
		chain.SnapshotAt(root.Sequence)
	}
	if state.Msgs > 0 {
		if err := r.read(ctx, log, chain, state.LastSeq, o.Step); err != nil {
			return nil, err
		}
	}
	r.Resources = chain.Resources() + len(trimmed)
	for _, hole := range chain.holes(state.LastSeq + 1) {
		r.add(fmt.Errorf("%s at the end of the log are missing", hole))
	}
	chain.last = state.LastSeq
	if root != nil {
		if atRoot := chain.SnapshotRoot(trimmed); atRoot != *root {
			r.add(fmt.Errorf("the log up to event %d has changed since root %s was printed: it now gives %s", root.Sequence, root, atRoot))
		}
	}
	r.Root = chain.Root(trimmed)
	return r, nil
}

// read adds all events of a log to the chain. An event that cannot be decoded is a violation, and reading continues.
func (r *Report) read(ctx context.Context, log *eventlog.Log, chain *Chain, last uint64, step func(uint64)) error {
	for raw, err := range log.Raw(ctx, eventlog.Query{From: chain.first, To: last}) {
		if err != nil {
			return err
		}
		r.Events++
		e, err := raw.Decode()
		if err != nil {
			r.add(fmt.Errorf("event %d on %s cannot be decoded: %w", raw.Sequence, raw.Subject, err))
			chain.last = raw.Sequence
			continue
		}
		for _, err := range chain.Add(e) {
			r.add(err)
		}
		if step != nil {
			step(raw.Pending)
		}
	}
	return nil
}

// trimmedHeads returns the last events of resources whose events were all trimmed from the log: the state bucket has them.
func trimmedHeads(ctx context.Context, log *eventlog.Log, first uint64) (map[string]TrimmedHead, error) {
	trimmed := map[string]TrimmedHead{}
	if first <= 1 {
		return trimmed, nil
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
		trimmed[e.Event.PartitionKey] = TrimmedHead{raw.Sequence, e.Fact.Transition, event.Hash(raw.Payload)}
	}
	return trimmed, nil
}
