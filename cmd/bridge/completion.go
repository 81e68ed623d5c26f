package main

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/printable"
)

// completionTimeout limits how long a completion reads the log, because its user waits. What was read until then is offered.
const completionTimeout = 300 * time.Millisecond

// completeFlag has the shell complete the values of a flag.
func completeFlag(cmd *cobra.Command, name string, complete cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(name, complete); err != nil {
		panic(err) // the command does not define the flag
	}
}

// fixed completes one of several words.
func fixed(words ...string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// onlyFirst completes the first argument only.
func onlyFirst(complete cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(cmd, args, toComplete)
	}
}

// completeState completes a state of the kinds; of any kind if there are none.
func completeState(kinds *[]lifecycle.Kind) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return knownStates(*kinds), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeStateOfArgument completes a state of the kind that the first argument names.
func completeStateOfArgument(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var kinds []lifecycle.Kind
	if len(args) > 0 {
		kinds = []lifecycle.Kind{lifecycle.Kind(args[0])}
	}
	return completeState(&kinds)(cmd, args, toComplete)
}

// knownStates returns the states listed for the kinds; without any, for all kinds. The empty state is unset.
func knownStates(kinds []lifecycle.Kind) []string {
	if len(kinds) == 0 {
		kinds = lifecycle.Kinds()
	}
	var states []string
	for _, k := range kinds {
		for _, s := range lifecycle.States(k) {
			if s.State == "" {
				s.State = "unset"
			}
			states = append(states, s.State)
		}
	}
	slices.Sort(states)
	return slices.Compact(states)
}

// completeProject completes a project that has resources of the kinds in the log; nil or none: of any kind.
func completeProject(kinds *[]lifecycle.Kind) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var q eventlog.Query
		if kinds != nil {
			q.Kinds = *kinds
		}
		return completeFromLog(cmd.Context(), q, func(k lifecycle.Key) string { return k.Project })
	}
}

// completeName completes the name of a resource of the kinds and projects in the log; without any, of any.
func completeName(kinds *[]lifecycle.Kind, projects *[]string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return completeFromLog(cmd.Context(), eventlog.Query{Kinds: *kinds, Projects: *projects}, lifecycle.Key.Name)
	}
}

// completeResource completes the arguments KIND PROJECT NAME….
func completeResource(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return asStrings(lifecycle.Kinds()), cobra.ShellCompDirectiveNoFileComp
	}
	q := eventlog.Query{Kinds: []lifecycle.Kind{lifecycle.Kind(args[0])}}
	if len(args) == 1 {
		return completeFromLog(cmd.Context(), q, func(k lifecycle.Key) string { return k.Project })
	}
	q.Projects = []string{args[1]}
	names := args[2:]
	return completeFromLog(cmd.Context(), q, func(k lifecycle.Key) string {
		all := k.Names()
		if len(all) <= len(names) || !slices.Equal(all[:len(names)], names) {
			return ""
		}
		return all[len(names)]
	})
}

// completeFromLog completes what part returns of a resource in the log; "": nothing.
func completeFromLog(ctx context.Context, q eventlog.Query, part func(lifecycle.Key) string) ([]cobra.Completion, cobra.ShellCompDirective) {
	quiet := &call{command: programName + " completion", stdout: io.Discard, stderr: io.Discard}
	var parts []string
	for _, key := range knownResources(ctx, quiet.openLog, q) {
		// A name that is not printable could break the shell's list.
		if text := part(key); text != "" && printable.Name(text) == text {
			parts = append(parts, text)
		}
	}
	slices.Sort(parts)
	return slices.Compact(parts), cobra.ShellCompDirectiveNoFileComp
}

// knownResources returns the resources in the log that match a query, as many as can be read in time; none if NATS cannot be
// reached. It does not wait for a request that takes longer, for example to find out why a server does not respond: the
// process ends then.
func knownResources(ctx context.Context, open func(context.Context) (*eventlog.Log, func(), error), q eventlog.Query) (known []lifecycle.Key) {
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	keys := make(chan lifecycle.Key)
	go func() {
		defer close(keys)
		log, done, err := open(ctx)
		if err != nil {
			return
		}
		defer done()
		for key, err := range log.Keys(ctx, q) {
			if err != nil {
				return
			}
			select {
			case keys <- key:
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case key, ok := <-keys:
			if !ok {
				return known
			}
			known = append(known, key)
		case <-ctx.Done():
			return known
		}
	}
}
