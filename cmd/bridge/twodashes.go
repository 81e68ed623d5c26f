package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// twoDashes rewrites long flags with a single dash, such as -output, which earlier versions accepted: pflag takes them for
// several one-letter flags. It rewrites neither values of flags nor what follows "--".
func twoDashes(root *cobra.Command, args []string) []string {
	if len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd) { // the shell completes the others
		return append([]string{args[0]}, twoDashes(root, args[1:])...)
	}
	cmd, rest, err := root.Find(args)
	if err != nil {
		return args
	}
	cmd.InitDefaultHelpFlag()
	rewritten := strings.Fields(cmd.CommandPath())[1:]
	for len(rest) > 0 && rest[0] != "--" {
		flag := withTwoDashes(cmd.Flags(), rest[0])
		rewritten, rest = append(rewritten, flag), rest[1:]
		if len(rest) > 0 && takesNext(cmd.Flags(), flag) {
			rewritten, rest = append(rewritten, rest[0]), rest[1:]
		}
	}
	return append(rewritten, rest...)
}

// withTwoDashes adds a dash to a long flag that has one, also to one that does not exist, so that the error names it.
// Groups of one-letter flags, negative numbers and all else are returned unchanged.
func withTwoDashes(flags *pflag.FlagSet, arg string) string {
	if len(arg) < 3 || arg[0] != '-' || arg[1] == '-' || arg[1] >= '0' && arg[1] <= '9' {
		return arg
	}
	name, _, _ := strings.Cut(arg[1:], "=")
	if flags.Lookup(name) != nil || flags.ShorthandLookup(arg[1:2]) == nil {
		return "-" + arg
	}
	return arg
}

// takesNext reports whether the value of a flag is the next argument.
func takesNext(flags *pflag.FlagSet, arg string) bool {
	if name, long := strings.CutPrefix(arg, "--"); long {
		f := flags.Lookup(name) // none with a name that includes "=value"
		return f != nil && f.NoOptDefVal == ""
	}
	letters, ok := strings.CutPrefix(arg, "-")
	for ok && letters != "" {
		f := flags.ShorthandLookup(letters[:1])
		if f == nil {
			return false
		}
		if letters = letters[1:]; f.NoOptDefVal == "" {
			return letters == "" // else the rest is the value
		}
	}
	return false
}
