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

// unappliedCommands returns the subcommands of `bridge unapplied`, in the order of the help text.
func unappliedCommands() []command {
	return []command{
		{"list", "", "list stored deliveries, oldest first", runListUnapplied},
		{"show", "SEQUENCE", "print one delivery with its body", runShowUnapplied},
		{
			"retry", "[SEQUENCE…]", "have the bridge decide again about these deliveries, or about those that the flags select\n\n" +
				"A delivery that becomes an event, or that the log already has, is deleted from the unapplied deliveries; the\n" +
				"others stay. The bridge decides as for a new delivery, but the time of the retry does not count as evidence.\n" +
				"Bodies are stored redacted, so the event's record is redacted too, whatever BRIDGE_RESOURCE is.", runRetryUnapplied,
		},
	}
}

func runUnapplied(ctx context.Context, c *call) error { return c.dispatch(ctx, unappliedCommands()) }

// unappliedFlags are the flags that select unapplied deliveries.
type unappliedFlags struct {
	query eventlog.UnappliedQuery
	limit int
}

// unappliedFilters are the names of the flags that [unappliedFlags.add] defines.
var unappliedFilters = []string{"reason", "kind", "project", "name", "since", "until", "limit"}

func (f *unappliedFlags) add(set *flag.FlagSet, limit int) {
	set.Func("reason", "only these, comma-separated: "+reasonList(), func(v string) error {
		for _, name := range splitList(v) {
			if !slices.Contains(lifecycle.Reasons(), lifecycle.Reason(name)) {
				return fmt.Errorf("unknown reason %q; reasons are %s", name, reasonList())
			}
			f.query.Reasons = append(f.query.Reasons, lifecycle.Reason(name))
		}
		return nil
	})
	set.Func("kind", "only of resources of this kind; malformed and unrecognised deliveries have no kind", parsed(&f.query.Kind, lifecycle.ParseKind))
	set.StringVar(&f.query.Project, "project", "", "only of resources of this project")
	set.StringVar(&f.query.Name, "name", "", "only of resources of this name")
	set.Func("since", "only those stored at or after this time: "+eventlog.TimeForms, parsed(&f.query.Since, eventlog.ParseTime))
	set.Func("until", "only those stored before this time: the same forms", parsed(&f.query.Until, eventlog.ParseTime))
	set.IntVar(&f.limit, "limit", limit, "maximum number of deliveries, oldest first; 0: all")
}

func (f *unappliedFlags) check() error {
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

// each calls do for each selected delivery, and reports whether there are more than the limit. Messages that are not
// deliveries stored by a bridge are skipped, and joined into the error.
func (f *unappliedFlags) each(ctx context.Context, log *eventlog.Log, do func(eventlog.Unapplied) error) (more bool, err error) {
	var wrong []error
	done := 0
	for k, err := range log.QueryUnapplied(ctx, f.query) {
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
		return 0, usageError{fmt.Errorf("%q is not a sequence: use a number from 1", argument)}
	}
	return n, nil
}

// unappliedResource formats the resource that an unapplied delivery names; "-" if none.
func unappliedResource(names event.Names, k eventlog.Unapplied) string {
	if k.Resource == "" {
		return "-"
	}
	key, _, err := names.Parse(names.Subject(k.Resource, ""))
	if err != nil {
		return printable.Name(k.Resource) // it has a truncated name
	}
	return fmt.Sprintf("%s %s/%s", key.Kind, printable.Name(key.Project), printable.Name(strings.Join(key.Names(), "/")))
}
