package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/printable"
)

// unappliedCommands returns what `bridge unapplied` does, in the order of the help.
func unappliedCommands() []command {
	return []command{
		{"list", "", "what is kept, the oldest first", runListUnapplied},
		{"show", "SEQUENCE", "all of one, with its body", runShowUnapplied},
		{
			"retry", "[SEQUENCE…]", "have the bridge decide again: of these, or of what the flags choose\n\n" +
				"What becomes an event, or is told by the log, is removed from what is kept; the rest stays. The bridge decides\n" +
				"as it would of a delivery, but that it comes now is no evidence. Bodies are kept redacted, and so is the record\n" +
				"of an event that comes of one, whatever BRIDGE_RESOURCE says.", runRetryUnapplied,
		},
	}
}

func runUnapplied(ctx context.Context, c *call) error { return c.dispatch(ctx, unappliedCommands()) }

// keptFlags are the flags that choose deliveries.
type keptFlags struct {
	query eventlog.UnappliedQuery
	limit int
}

// keptFilters are the names of those that [keptFlags.add] defines.
var keptFilters = []string{"reason", "kind", "project", "name", "since", "until", "limit"}

func (f *keptFlags) add(set *flag.FlagSet, limit int) {
	set.Func("reason", "only these, comma-separated: "+reasonList(), func(v string) error {
		for _, name := range splitList(v) {
			if !slices.Contains(lifecycle.Reasons(), lifecycle.Reason(name)) {
				return fmt.Errorf("there is no reason %q; reasons are %s", name, reasonList())
			}
			f.query.Reasons = append(f.query.Reasons, lifecycle.Reason(name))
		}
		return nil
	})
	set.Func("kind", "only of resources of this kind; what is malformed or unrecognised names none", parsed(&f.query.Kind, lifecycle.ParseKind))
	set.StringVar(&f.query.Project, "project", "", "only of resources of this project")
	set.StringVar(&f.query.Name, "name", "", "only of resources of this name")
	set.Func("since", "stored from this time on: "+eventlog.TimeForms, parsed(&f.query.Since, eventlog.ParseTime))
	set.Func("until", "stored before this time, which is not part of the period: the same forms", parsed(&f.query.Until, eventlog.ParseTime))
	set.IntVar(&f.limit, "limit", limit, "at most so many, the oldest first; 0: all")
}

func (f *keptFlags) check() error {
	if f.limit < 0 {
		return usageError{fmt.Errorf("--limit %d must be 0 or more", f.limit)}
	}
	return nil
}

func reasonList() string {
	var names []string
	for _, r := range lifecycle.Reasons() {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

// each does something with each delivery that is chosen, and says whether the limit left some out. What no bridge
// kept is told at the end.
func (f *keptFlags) each(ctx context.Context, log *eventlog.Log, do func(eventlog.Unapplied) error) (more bool, err error) {
	var wrong []error
	done := 0
	for k, err := range log.Kept(ctx, f.query) {
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		if f.limit > 0 && done == f.limit {
			return true, errors.Join(wrong...)
		}
		if err := do(k); err != nil {
			return false, err
		}
		done++
	}
	return false, errors.Join(wrong...)
}

// sequenceOf parses an argument as the sequence of a message: a whole number from 1.
func sequenceOf(argument string) (uint64, error) {
	n, err := strconv.ParseUint(argument, 10, 64)
	if err != nil || n == 0 {
		return 0, usageError{fmt.Errorf("%q is no sequence", argument)}
	}
	return n, nil
}

// keptOf is the resource that a kept delivery names, for people.
func keptOf(names event.Names, k eventlog.Unapplied) string {
	if k.Resource == "" {
		return "-"
	}
	key, _, err := names.Parse(names.Subject(k.Resource, ""))
	if err != nil {
		return printable.Name(k.Resource) // a name in it is cut
	}
	return fmt.Sprintf("%s %s/%s", key.Kind, printable.Name(key.Project), printable.Name(strings.Join(key.Names(), "/")))
}
