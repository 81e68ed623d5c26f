package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/printable"
	"mkio-bridge/internal/spelling"
)

func unappliedCommand(c *call) *cobra.Command {
	return groupCommand("unapplied", "list, show or retry deliveries that became no event",
		listUnappliedCommand(c), showUnappliedCommand(c), retryUnappliedCommand(c))
}

// unappliedFlags are the flags that select unapplied deliveries.
type unappliedFlags struct {
	query eventlog.UnappliedQuery
	limit int
}

// unappliedFilters are the names of the flags that [unappliedFlags.add] defines.
var unappliedFilters = []string{"reason", "kind", "project", "name", "since", "until", "limit"}

func (f *unappliedFlags) add(cmd *cobra.Command, limit int) {
	set := cmd.Flags()
	set.Func("reason", "only these `REASONS`, comma-separated: "+words(lifecycle.Reasons()), func(v string) error {
		for _, name := range splitList(v) {
			if !slices.Contains(lifecycle.Reasons(), lifecycle.Reason(name)) {
				return fmt.Errorf("unknown reason %q; did you mean %s?", name, spelling.Nearest(name, asStrings(lifecycle.Reasons())))
			}
			f.query.Reasons = append(f.query.Reasons, lifecycle.Reason(name))
		}
		return nil
	})
	wordsFlag(cmd, &f.query.Kinds, "kind", "only of resources of these `KINDS`, separated by commas; malformed and unrecognised deliveries have no kind", lifecycle.ParseKind, lifecycle.Kinds())
	set.Func("project", "only of resources of these `PROJECTS`, separated by commas", parsed(&f.query.Projects, eventlog.ParseWords))
	set.StringVar(&f.query.Name, "name", "", "only of resources of this `NAME`")
	set.Func("since", "only those stored at or after this `TIME`: "+eventlog.TimeForms, parsed(&f.query.Since, eventlog.ParseTime))
	set.Func("until", "only those stored before this `TIME`, as for --since", parsed(&f.query.Until, eventlog.ParseTime))
	set.IntVar(&f.limit, "limit", limit, "maximum number of deliveries, oldest first; 0: all")
	completeFlag(cmd, "reason", fixed(asStrings(lifecycle.Reasons())...))
	completeFlag(cmd, "project", completeProject(&f.query.Kinds))
	completeFlag(cmd, "name", completeName(&f.query.Kinds, &f.query.Projects))
}

func (f *unappliedFlags) check() error {
	if f.limit < 0 {
		return usageError{fmt.Errorf("--limit %d must be 0 or more", f.limit)}
	}
	return nil
}

// each calls do for each selected delivery, and reports whether there are more than the limit. Messages that are not
// deliveries stored by a bridge are skipped, and joined into the error.
func (f *unappliedFlags) each(ctx context.Context, log *eventlog.Log, do func(eventlog.Unapplied) error) (more bool, err error) {
	selection, err := log.SelectUnapplied(ctx, f.query, f.limit, do)
	return selection.More, errors.Join(append(selection.Foreign, err)...)
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
