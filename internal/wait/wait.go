package wait

import (
	"context"
	"fmt"
	"slices"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// A Goal is what a wait waits for: one of some states, or a phase.
type Goal struct {
	States []string        // case-insensitive
	Phase  lifecycle.Phase // "": States count
}

func (g Goal) reachedBy(e eventlog.LoggedEvent) bool {
	if g.Phase != "" {
		return e.Event.Data.Phase == g.Phase
	}
	return slices.ContainsFunc(g.States, func(s string) bool { return event.StateToken(s) == event.StateToken(e.Event.Data.State) })
}

// terminal reports whether a resource does not leave a phase by itself.
func terminal(phase lifecycle.Phase) bool {
	return slices.Contains([]lifecycle.Phase{lifecycle.Succeeded, lifecycle.Failed, lifecycle.Canceled, lifecycle.Gone}, phase)
}

// For waits for an event that reaches a goal, whenever it was recorded: the resource's last event, or a later one. It returns
// that event, or the last event and an error.
func For(ctx context.Context, log *eventlog.Log, key lifecycle.Key, g Goal) (last *eventlog.LoggedEvent, err error) {
	for e, err := range log.Watch(ctx, key) {
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			return last, err
		}
		last = &e
		switch {
		case g.reachedBy(e):
			return last, nil
		case terminal(e.Event.Data.Phase):
			return last, otherEnd(key, e)
		}
	}
	if last == nil {
		return nil, fmt.Errorf("%w: the log has no event of %s", context.Cause(ctx), key)
	}
	return last, fmt.Errorf("%w: %s is %s", context.Cause(ctx), key, last.StateText())
}

func otherEnd(key lifecycle.Key, e eventlog.LoggedEvent) error {
	return fmt.Errorf("%s ended in another state: %s, phase %s", key, e.StateText(), e.Event.Data.Phase)
}

// Since is [For], but only events recorded since a position count. The error for a sequence beyond the end of the log is a
// [PastEndError].
func Since(ctx context.Context, log *eventlog.Log, key lifecycle.Key, g Goal, since Position) (last *eventlog.LoggedEvent, err error) {
	j := &judge{goal: g, since: since, oldLife: true}
	end, err := j.read(ctx, log, key)
	switch {
	case ctx.Err() != nil && end == nil:
		return j.last, fmt.Errorf("%w: %s", context.Cause(ctx), j.describe(key))
	case err != nil:
		return j.last, err
	case !g.reachedBy(*end):
		return end, otherEnd(key, *end)
	}
	return end, nil
}
