package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"mkio-bridge/internal/mkio"
)

// webhookCommands returns what `bridge webhook` does, in the order of the help.
func webhookCommands() []command {
	return []command{
		{"register", "", "make the rule what it must be, and show what that changes", runRegister},
		{"show", "", "the rule as MK.IO shows it", runShowRule},
		{"history", "", "the rule's delivery history, newest last", runRuleHistory},
		{"delete", "", "delete the rule, and its delivery history with it", runDeleteRule},
	}
}

func runWebhook(ctx context.Context, c *call) error { return c.dispatch(ctx, webhookCommands()) }

// ruleFlags are those that all webhook commands have.
type ruleFlags struct {
	projects list
	output   string
}

func (f *ruleFlags) add(set *flag.FlagSet) {
	set.Func("project", "only in this project; several: again, or comma-separated (default BRIDGE_PROJECTS, or all active)", func(v string) error {
		f.projects = append(f.projects, splitList(v)...)
		return nil
	})
	outputFlag(set, &f.output, "one object a line")
}

// A ruleCall is a webhook command with all that it needs of MK.IO.
type ruleCall struct {
	*call
	flags  ruleFlags
	conf   config
	client *mkio.Client
}

// open reads flags and configuration.
func (f ruleFlags) open(c *call, set *flag.FlagSet) (*ruleCall, error) {
	f.add(set)
	if _, err := c.parse(set, 0); err != nil {
		return nil, err
	}
	conf, err := loadConfig()
	if err != nil {
		return nil, usageError{err}
	}
	if !conf.polls() {
		return nil, usageError{fmt.Errorf("there is no token for MK.IO: set %s_MKIO_TOKEN", prefix)}
	}
	client, err := conf.client(nil)
	if err != nil {
		return nil, err
	}
	return &ruleCall{call: c, flags: f, conf: conf, client: client}, nil
}

// each does something in each project. What fails in one does not keep it from the others.
func (c *ruleCall) each(ctx context.Context, do func(project string) error) error {
	projects := c.flags.projects
	var errs []error
	if len(projects) == 0 {
		var err error
		if projects, err = projectsOf(ctx, c.conf, c.client); err != nil {
			errs = append(errs, err)
		}
	}
	for _, project := range projects {
		if err := do(project); err != nil {
			errs = append(errs, err)
		}
	}
	return failures(errs).orNil()
}

// failures are errors of which each has its own advice.
type failures []error

func (f failures) Error() string { return errors.Join(f...).Error() }

// Unwrap returns them all.
func (f failures) Unwrap() []error { return f }

func (f failures) orNil() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// projectsOf returns the projects of the configuration, or all active ones that the token can see. With an error it
// returns those that MK.IO told before it failed.
func projectsOf(ctx context.Context, conf config, client *mkio.Client) ([]string, error) {
	if len(conf.Projects) > 0 {
		return conf.Projects, nil
	}
	active, err := client.AllActive(ctx)
	if errors.Is(err, mkio.ErrNoActiveProject) {
		err = fmt.Errorf("%w: name it in %s_PROJECTS, or give the token rights there", err, prefix)
	}
	return active, err
}

// print writes a line of JSON, or what text writes.
func (f ruleFlags) print(w io.Writer, v any, text func(io.Writer)) error {
	if f.output == "json" {
		return printJSON(w, v)
	}
	text(w)
	return nil
}
