package wait

import (
	"context"
	"fmt"
	"slices"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// A Goal is what somebody waits for: one of some states, or a phase.
type Goal struct {
	States []string        // without regard to case
	Phase  lifecycle.Phase // "": the states count
}

func (g Goal) reached(e eventlog.Entry) bool {
	if g.Phase != "" {
		return e.Event.Data.Phase == g.Phase
	}
	return slices.ContainsFunc(g.States, func(s string) bool { return event.StateToken(s) == event.StateToken(e.Event.Data.State) })
}

// ended says whether a resource came to an end, from where it does not move on by itself.
func ended(phase lifecycle.Phase) bool {
	return slices.Contains([]lifecycle.Phase{lifecycle.Succeeded, lifecycle.Failed, lifecycle.Canceled, lifecycle.Gone}, phase)
}

// For waits for an event that reaches a goal, whenever it was recorded: the last event counts, and all that comes. It returns the
// event, or the last one and an error.
func For(ctx context.Context, log *eventlog.Log, key lifecycle.Key, g Goal) (last *eventlog.Entry, err error) {
	for e, err := range log.Watch(ctx, key) {
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			return last, err
		}
		last = &e
		switch {
		case g.reached(e):
			return last, nil
		case ended(e.Event.Data.Phase):
			return last, endedOtherwise(key, e)
		}
	}
	if last == nil {
		return nil, fmt.Errorf("%w: the log has no event of %s", context.Cause(ctx), key)
	}
	return last, fmt.Errorf("%w: %s is %s", context.Cause(ctx), key, last.Shown())
}

func endedOtherwise(key lifecycle.Key, e eventlog.Entry) error {
	return fmt.Errorf("%s ended otherwise: %s, phase %s", key, e.Shown(), e.Event.Data.Phase)
}

// Since is [For] of what was recorded since a position alone. A position that the log has not reached is a [PastEndError].
func Since(ctx context.Context, log *eventlog.Log, key lifecycle.Key, g Goal, since Position) (last *eventlog.Entry, err error) {
	j := &judge{goal: g, since: since, earlier: true}
	end, err := j.read(ctx, log, key)
	switch {
	case ctx.Err() != nil && end == nil:
		return j.last, fmt.Errorf("%w: %s", context.Cause(ctx), j.stand(key))
	case err != nil:
		return j.last, err
	case !g.reached(*end):
		return end, endedOtherwise(key, *end)
	}
	return end, nil
}
