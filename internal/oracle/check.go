package oracle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/invariant"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// Judge checks the log against all that a simulated MK.IO told and was: I1, I2, I4 and I5. It returns every
// violation.
func (w *Recorder) Judge(ctx context.Context, js jetstream.JetStream, names event.Names, fake *mkiofake.MKIO) error {
	told := w.Delivered()
	for _, c := range fake.Changes() {
		told = append(told, invariant.Delivered{Observation: lifecycle.Observation{Key: c.Key, State: c.State, Life: c.Life}})
	}
	var excuses []Excuse
	var wrong error
	if log := eventlog.New(js, names); w.OtherClocks {
		wrong = AsItWas(ctx, log, fake)
	} else {
		excuses, wrong = InTime(ctx, log, fake)
	}
	w.excuse(excuses)
	for _, e := range excuses {
		told = append(told, invariant.Delivered{Observation: lifecycle.Observation{Key: e.Key, State: e.State, Life: e.Life}})
	}
	return errors.Join(invariant.Check(ctx, js, names, told), wrong)
}

// A life is one of a resource's.
type life struct {
	key lifecycle.Key
	id  string
}

// AsItWas checks I5 against what truly was: the states that the log has of a life came in that order, those that
// nobody was shown left out.
func AsItWas(ctx context.Context, log *eventlog.Log, fake *mkiofake.MKIO) error {
	_, err := inOrder(ctx, log, fake, nil, func(mkiofake.Change, eventlog.Entry) bool { return true })
	return err
}

// InTime checks the same of bridges on the simulation's clock, and that nothing was recorded before it was so. A state
// that comes again is not excused by its next time, nor a Deleted by an end that is still to come. What nothing could tell
// the bridge is no violation, and is returned.
func InTime(ctx context.Context, log *eventlog.Log, fake *mkiofake.MKIO) ([]Excuse, error) {
	return inOrder(ctx, log, fake, fake.Misled(), func(c mkiofake.Change, e eventlog.Entry) bool {
		return !c.Moment.Truncate(time.Millisecond).After(e.Event.RecordedTime) // that is cut to milliseconds
	})
}

// inOrder finds for each event the change that it is of, after that of the event before it.
func inOrder(
	ctx context.Context, log *eventlog.Log, fake *mkiofake.MKIO, misled []mkiofake.Misleading, may func(mkiofake.Change, eventlog.Entry) bool,
) (excuses []Excuse, err error) {
	last := map[life]eventlog.Entry{}
	was := map[life][]mkiofake.Change{}
	for _, c := range fake.Changes() {
		of := life{c.Key, c.Life}
		was[of] = append(was[of], c)
	}
	var errs []error
	var convicted []lifecycle.Key
	for e, err := range log.Events(ctx, eventlog.Query{}) {
		if err != nil {
			return nil, err
		}
		key, err := e.Event.Data.Key()
		if err != nil {
			return nil, err
		}
		of := life{key, e.Fact.Life}
		before := last[of]
		last[of] = e
		at := slices.IndexFunc(was[of], func(c mkiofake.Change) bool {
			return lifecycle.SameState(c.State, e.Fact.State) && may(c, e)
		})
		if at < 0 {
			if excuse, ok := excused(misled, before, e, key); ok {
				excuses = append(excuses, excuse)
				continue
			}
			errs = append(errs, fmt.Errorf("I5: %s, event %d: it was not %q any more, or not yet, or never", key, e.Sequence, e.Fact.State))
			if len(convicted) < mostHistories && !slices.Contains(convicted, key) {
				convicted = append(convicted, key)
			}
			continue
		}
		was[of] = was[of][at:] // the same state with another provisioning may follow
	}
	return excuses, errors.Join(append(errs, histories(ctx, log, fake, convicted))...)
}

// mostHistories is how many histories are told of what is not as it was.
const mostHistories = 3

// histories returns, as an error, all that the log has of some resources and all that they truly were; nil for none.
func histories(ctx context.Context, log *eventlog.Log, fake *mkiofake.MKIO, keys []lifecycle.Key) error {
	if len(keys) == 0 {
		return nil
	}
	told := map[lifecycle.Key]*strings.Builder{}
	for _, key := range keys {
		told[key] = &strings.Builder{}
		fmt.Fprintf(told[key], "history of %s", key)
	}
	for e, err := range log.Events(ctx, eventlog.Query{}) {
		if err != nil {
			return err
		}
		key, err := e.Event.Data.Key()
		if err != nil {
			return err
		}
		if b, ok := told[key]; ok {
			f := e.Fact
			fmt.Fprintf(b, "\n  log: event %d, transition %d: %q %q, life %q, by %s, at %s, modified %s, seen after %s and before %s, recorded %s", e.Sequence, f.Transition,
				f.State, f.Provisioning, f.Life, e.Event.Data.Via, moment(f.At), moment(f.Modified), moment(f.SeenAfter), moment(f.SeenBefore), e.Event.RecordedTime)
		}
	}
	for _, c := range fake.Changes() {
		if b, ok := told[c.Key]; ok {
			fmt.Fprintf(b, "\n  MK.IO: %q %q, life %q, at %s, on our clock %s, delivery %q %v, shown by %d answers", c.State, c.Provisioning, c.Life, moment(c.At), moment(c.Moment), c.Type, c.Delivery, c.Shown)
		}
	}
	var errs []error
	for _, key := range keys {
		errs = append(errs, errors.New(told[key].String()))
	}
	return errors.Join(errs...)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	return t.Format(time.RFC3339Nano)
}

// Converged checks, when a simulated MK.IO is quiet, that the last event of everything is what MK.IO has: I3.
func Converged(ctx context.Context, log *eventlog.Log, fake *mkiofake.MKIO) error {
	var errs []error
	is := fake.Current()
	for e, err := range log.State(ctx, eventlog.Query{}) {
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
