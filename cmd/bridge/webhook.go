package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"mkio-bridge/internal/mkio"
)

// webhookCommands returns the subcommands of `bridge webhook`, in the order of the help text.
func webhookCommands() []command {
	return []command{
		{"register", "", "create or update the rule, and print the changes", runRegister},
		{"show", "", "print the rule as MK.IO has it", runShowRule},
		{"history", "", "print the rule's delivery history, newest last", runRuleHistory},
		{"delete", "", "delete the rule and its delivery history", runDeleteRule},
	}
}

func runWebhook(ctx context.Context, c *call) error { return c.dispatch(ctx, webhookCommands()) }

// ruleFlags are the flags of all webhook subcommands.
type ruleFlags struct {
	projects list
	output   string
}

func (f *ruleFlags) add(set *flag.FlagSet) {
	set.Func("project", "only in this project; repeatable, or comma-separated (default: BRIDGE_PROJECTS, or all active projects)", func(v string) error {
		f.projects = append(f.projects, splitList(v)...)
		return nil
	})
	outputFlag(set, &f.output, "one object per line")
}

// A ruleCall is one invocation of a webhook subcommand, with its client of MK.IO.
type ruleCall struct {
	*call
	flags  ruleFlags
	conf   config
	client *mkio.Client
}

// open parses the flags, loads the configuration and creates the client.
func (f ruleFlags) open(c *call, set *flag.FlagSet) (*ruleCall, error) {
	f.add(set)
	if _, err := c.parse(set, 0); err != nil {
		return nil, err
	}
	conf, err := loadConfig()
	if err != nil {
		return nil, usageError{err}
	}
	if !conf.hasToken() {
		return nil, usageError{errors.New("no API token: set BRIDGE_MKIO_TOKEN")}
	}
	client, err := conf.client(nil)
	if err != nil {
		return nil, err
	}
	return &ruleCall{call: c, flags: f, conf: conf, client: client}, nil
}

// each calls do for each project. It continues after errors, and returns them as [failures].
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

// failures are errors that each get their own line and advice.
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

// projectsOf returns the configured projects, or all active ones that the token can see. With an error it returns those that
// were listed before it.
func projectsOf(ctx context.Context, conf config, client *mkio.Client) ([]string, error) {
	if len(conf.Projects) > 0 {
		return conf.Projects, nil
	}
	active, err := client.ActiveProjectNames(ctx)
	if errors.Is(err, mkio.ErrNoActiveProject) {
		err = fmt.Errorf("%w: name the project in BRIDGE_PROJECTS, or give the token rights in it", err)
	}
	return active, err
}

// print writes v as a line of JSON, or calls text, as --output says.
func (f ruleFlags) print(w io.Writer, v any, text func(io.Writer)) error {
	if f.output == "json" {
		return printJSON(w, v)
	}
	text(w)
	return nil
}
