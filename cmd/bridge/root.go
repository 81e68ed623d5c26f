package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mkio-bridge/internal/spelling"
)

// programName is the name of the installed binary.
const programName = "mkio-bridge"

// A commandGroup is a section of the program's help.
type commandGroup struct {
	id, title string
	commands  []func(*call) *cobra.Command
}

// commandGroups returns all commands, in the order of the help text.
func commandGroups() []commandGroup {
	return []commandGroup{
		{"run", "Run the service, or a simulation:", []func(*call) *cobra.Command{serviceCommand, notifyCommand, demoCommand, mkioFakeCommand}},
		{"log", "Read and verify the log:", []func(*call) *cobra.Command{eventsCommand, stateCommand, waitCommand, replayCommand, verifyCommand, auditCommand}},
		{"operate", "Operate a bridge:", []func(*call) *cobra.Command{triggerCommand, unappliedCommand, webhookCommand, doctorCommand}},
		{"other", "Other commands:", []func(*call) *cobra.Command{schemaCommand, configCommand, healthcheckCommand, versionCommand}},
	}
}

func init() {
	cobra.EnableCommandSorting = false // help lists commands in the order of commandGroups
}

// newRoot returns the tree of commands. Without a command, the program runs the service.
func newRoot(c *call) *cobra.Command {
	var printVersion bool
	root := &cobra.Command{
		Use:   programName,
		Short: "write every state change of MK.IO's resources to NATS JetStream",
		Long: programName + " writes every state change of MK.IO's resources to NATS JetStream. Without a command it runs the service.\n\n" +
			"Settings are environment variables: " + programName + " config --help lists them.",
		Example:       "  " + programName + " demo\n  BRIDGE_MKIO_TOKEN=… " + programName + " run\n  " + programName + " events --follow",
		Args:          noCommand,
		SilenceErrors: true, // run prints the error, with advice
		SilenceUsage:  true,

		SuggestionsMinimumDistance: 2,

		PersistentPreRun: func(cmd *cobra.Command, _ []string) { c.command = cmd.CommandPath() },
		RunE: func(cmd *cobra.Command, _ []string) error {
			if printVersion {
				return c.printVersion(formatText)
			}
			return runService(cmd.Context(), c)
		},
	}
	root.Flags().BoolVar(&printVersion, "version", false, "print the build")
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	root.SetFlagErrorFunc(flagError)
	for _, g := range commandGroups() {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, newCommand := range g.commands {
			cmd := newCommand(c)
			cmd.GroupID = g.id
			root.AddCommand(cmd)
		}
	}
	root.AddCommand(manCommand())
	addHelpAndCompletion(root)
	return root
}

// addHelpAndCompletion adds cobra's commands, which have to exist before arguments are parsed.
func addHelpAndCompletion(root *cobra.Command) {
	const group = "other"
	root.SetHelpCommandGroupID(group)
	root.InitDefaultHelpCmd()
	root.SetCompletionCommandGroupID(group)
	root.InitDefaultCompletionCmd()
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp) // few values are names of files
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Short, cmd.Example = "print the help of a command", "  "+programName+" help events"
			cmd.Args = knownCommand // without it, help prints a note and succeeds
		case "completion":
			cmd.Short = "print a script that completes commands, flags and names: for bash, zsh, fish or PowerShell"
			cmd.Example = "  source <(" + programName + " completion bash)"
		}
	}
}

// groupCommand returns a command that only has subcommands.
func groupCommand(use, short string, subcommands ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{
		Use: use, Short: short, Args: noCommand, SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError{errors.New("subcommand missing: " + strings.Join(subcommandNames(cmd), ", "))}
		},
	}
	group.AddCommand(subcommands...)
	return group
}

func subcommandNames(cmd *cobra.Command) []string {
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return names
}

// noCommand is for the arguments of a command that only has subcommands: an argument is an unknown one.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(cmd, args[0])
	}
	return nil
}

// knownCommand is for arguments that name a command.
func knownCommand(cmd *cobra.Command, args []string) error {
	found, rest, err := cmd.Root().Find(args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return unknownCommand(found, rest[0])
	}
	return nil
}

// noArguments is for commands without arguments.
func noArguments(cmd *cobra.Command, args []string) error { return atMost(0)(cmd, args) }

// atMost is for commands with up to n arguments.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return fmt.Errorf("unexpected argument %q (usage: %s)", args[n], cmd.UseLine())
		}
		return nil
	}
}

func unknownCommand(parent *cobra.Command, name string) error {
	if similar := parent.SuggestionsFor(name); len(similar) > 0 {
		return fmt.Errorf("unknown command %q: did you mean %s? (%s --help lists the commands)", name, strings.Join(similar, " or "), parent.CommandPath())
	}
	return fmt.Errorf("unknown command %q; %s --help lists the commands", name, parent.CommandPath())
}

// flagError adds to an error of the flags what to do. In front of an unknown flag, an unknown command is the mistake.
func flagError(cmd *cobra.Command, err error) error {
	if args := cmd.Flags().Args(); cmd.HasSubCommands() && len(args) > 0 {
		return noCommand(cmd, args)
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && unknown.GetSpecifiedShortnames() == "" {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		err = fmt.Errorf("%w; did you mean --%s?", err, spelling.Nearest(unknown.GetSpecifiedName(), names))
	}
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok && isNumError(err) {
		err = fmt.Errorf("invalid argument %q for --%s: must be a %s", invalid.GetValue(), invalid.GetFlag().Name, numberOf(invalid.GetFlag()))
	}
	return fmt.Errorf("%w (%s --help lists the flags)", err, cmd.CommandPath())
}

// isNumError reports whether a number could not be parsed. The text of such an error names a function of Go.
func isNumError(err error) bool {
	_, ok := errors.AsType[*strconv.NumError](err)
	return ok
}

// numberOf describes the numbers that a flag takes.
func numberOf(f *pflag.Flag) string {
	switch kind := f.Value.Type(); {
	case strings.HasPrefix(kind, "float"):
		return "number"
	case strings.HasPrefix(kind, "uint"):
		return "whole number, 0 or more"
	}
	return "whole number"
}
