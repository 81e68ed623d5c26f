package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mkio-bridge/internal/mkio"
)

func webhookCommand(c *call) *cobra.Command {
	return groupCommand("webhook", "manage the bridge's webhook rule in MK.IO projects",
		registerCommand(c), showRuleCommand(c), ruleHistoryCommand(c), deleteRuleCommand(c))
}

// ruleFlags are the flags of all webhook subcommands.
type ruleFlags struct {
	projects list
	output   format
}

// add defines the flags. json describes an object of the output.
func (f *ruleFlags) add(cmd *cobra.Command, json string) {
	cmd.Flags().Func("project", "only in this `PROJECT`; repeatable, or comma-separated (default: BRIDGE_PROJECTS, or all active projects)", func(v string) error {
		f.projects = append(f.projects, splitList(v)...)
		return nil
	})
	outputFlag(cmd, &f.output, json, "")
	completeFlag(cmd, "project", completeProject(nil))
}

// A ruleCall is one invocation of a webhook subcommand, with its client of MK.IO.
type ruleCall struct {
	*call
	flags  ruleFlags
	conf   config
	client *mkio.Client
}

// open loads the configuration and creates the client.
func (f ruleFlags) open(c *call) (*ruleCall, error) {
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

// print writes v as an object, or calls text, as --output says.
func (f ruleFlags) print(w io.Writer, v any, text func(io.Writer)) error {
	if f.output.isObject() {
		return f.output.print(w, v)
	}
	text(w)
	return nil
}
