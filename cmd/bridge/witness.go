package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/invariant"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/mkio/mkiofake"
)

// A witness is a transport of a simulated MK.IO's deliveries that remembers what was told, and how it was
// answered.
type witness struct {
	to http.RoundTripper

	mu   sync.Mutex
	told []invariant.Told
}

// RoundTrip makes a delivery.
func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer, err := w.to.RoundTrip(r)
	o, decodeErr := mkio.Decoder{}.Decode(body, time.Now())
	if err != nil || decodeErr != nil {
		return answer, errors.Join(err, decodeErr)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, invariant.Told{Observation: o, Body: body, Status: answer.StatusCode})
	return answer, nil
}

func (w *witness) all() []invariant.Told {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]invariant.Told(nil), w.told...)
}

// judge checks the log against all that a simulated MK.IO told and was: I1, I2, I4 and I5.
func judge(ctx context.Context, b *bridge, fake *mkiofake.MKIO, told []invariant.Told) error {
	for _, c := range fake.Changes() {
		told = append(told, invariant.Told{Observation: lifecycle.Observation{Key: c.Key, State: c.State, Life: c.Life}})
	}
	return errors.Join(invariant.Check(ctx, b.js, b.names, told), asItWas(ctx, b, fake))
}

// A life is one of a resource's.
type life struct {
	key lifecycle.Key
	id  string
}

// asItWas checks I5 against what truly was: the states that the log has of a life came in that order, those that
// nobody was shown left out.
func asItWas(ctx context.Context, b *bridge, fake *mkiofake.MKIO) error {
	was := map[life][]mkiofake.Change{}
	for _, c := range fake.Changes() {
		of := life{c.Key, c.Life}
		was[of] = append(was[of], c)
	}
	var errs []error
	for e, err := range b.events.Events(ctx, eventlog.Query{}) {
		if err != nil {
			return err
		}
		key, err := e.Event.Data.Key()
		if err != nil {
			return err
		}
		of := life{key, e.Fact.Life}
		at := slices.IndexFunc(was[of], func(c mkiofake.Change) bool { return lifecycle.SameState(c.State, e.Fact.State) })
		if at < 0 {
			errs = append(errs, fmt.Errorf("I5: %s, event %d: it was not %q any more, or never", key, e.Sequence, e.Fact.State))
			continue
		}
		was[of] = was[of][at:] // the same state with another provisioning may follow
	}
	return errors.Join(errs...)
}

// converged checks, when a simulated MK.IO is quiet, that the last event of everything is what MK.IO has: I3.
func converged(ctx context.Context, b *bridge, fake *mkiofake.MKIO) error {
	var errs []error
	is := fake.Current()
	for e, err := range b.events.State(ctx, eventlog.Query{}) {
		if err != nil {
			return err
		}
		key, err := e.Event.Data.Key()
		if err != nil {
			return err
		}
		now, exists := is[key]
		delete(is, key)
		switch {
		case !exists && !lifecycle.SameState(e.Fact.State, lifecycle.StateDeleted):
			errs = append(errs, fmt.Errorf("I3: %s is gone, and the log has it in %q", key, e.Fact.State))
		case exists && (!lifecycle.SameState(e.Fact.State, now.State) || e.Fact.Life != now.Life):
			errs = append(errs, fmt.Errorf("I3: %s is in %q, and the log has it in %q", key, now.State, e.Fact.State))
		}
	}
	for key, now := range is {
		errs = append(errs, fmt.Errorf("I3: %s is in %q, and the log does not have it", key, now.State))
	}
	return errors.Join(errs...)
}
