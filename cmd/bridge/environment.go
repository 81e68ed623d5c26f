package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mkio-bridge/internal/spelling"
)

// A variable is an environment variable that sets a field of config.
type variable struct{ name, defaultValue, meaning string }

// manual lists all settings, in the order of their fields. It does not use envconfig's own listing, which is based on
// text/template and makes the binary a seventh larger: with it, the linker keeps every method of every type.
func manual() []variable {
	var all []variable
	for _, f := range reflect.VisibleFields(reflect.TypeFor[config]()) {
		if f.IsExported() {
			name := prefix + "_" + strings.ToUpper(wordBoundary.ReplaceAllString(f.Name, "${1}${3}_${2}${4}"))
			all = append(all, variable{name, f.Tag.Get("default"), f.Tag.Get("desc")})
		}
	}
	return all
}

// wordBoundary matches the ends of words in a field's name, as envconfig's split_words does.
var wordBoundary = regexp.MustCompile(`([^A-Z])([A-Z])|([A-Z])([A-Z][^A-Z])`)

// variables returns the names of all settings.
func variables() []string {
	var names []string
	for _, v := range manual() {
		names = append(names, v.name)
	}
	return names
}

func secretNames() []string {
	var c config
	return slices.Sorted(maps.Keys(c.secrets()))
}

// injected matches variables that Kubernetes injects into pods for a Service named bridge.
var injected = regexp.MustCompile(`_PORT$|_PORT_|_SERVICE_`)

// checkNames returns an error for each BRIDGE_ variable that is not known: a typo must not silently leave a default in
// place.
func checkNames(environ, known []string) error {
	for _, name := range secretNames() {
		known = append(known, name+fileSuffix)
	}
	var errs []error
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, prefix+"_") || slices.Contains(known, name) || injected.MatchString(name) {
			continue
		}
		errs = append(errs, fmt.Errorf("%s is not a setting of this version of the bridge; the nearest name is %s (mkio-bridge config --help lists all)", name, spelling.Nearest(name, known)))
	}
	return errors.Join(errs...)
}

func configCommand(c *call) *cobra.Command {
	var output format
	cmd := &cobra.Command{
		Use:     "config",
		Short:   "print the effective configuration, secrets masked",
		Long:    "print the effective configuration, secrets masked\n\nIts help lists all settings.",
		Example: "  mkio-bridge config --help\n  BRIDGE_NATS_URL=nats://nats:4222 mkio-bridge config",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			conf, err := loadConfig()
			if err != nil {
				return usageError{err}
			}
			return printConfig(c.stdout, output, conf)
		},
	}
	outputFlag(cmd, &output, "the settings by variable", "")
	cmd.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		cmd.Root().HelpFunc()(cmd, args)
		fmt.Fprintln(c.stdout, "\nSettings, with their defaults:")
		printManual(c.stdout)
	})
	return cmd
}

// printManual writes each setting with its default and meaning.
func printManual(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range manual() {
		fmt.Fprintf(table, "%s\t%s\t%s\n", v.name, v.defaultValue, v.meaning)
	}
	_ = table.Flush() // an error of the output cannot be reported
	fmt.Fprintf(w, "\nEach secret can also come from a file: add %s to its variable, and set it to the file's name.\n", fileSuffix)
}

// printConfig writes the effective settings, secrets masked.
func printConfig(w io.Writer, output format, c config) error {
	settings := c.settings()
	if output.isObject() {
		return output.print(w, settings)
	}
	rows := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, name := range variables() {
		fmt.Fprintf(rows, "%s\t%s\n", name, settings[name])
	}
	return rows.Flush()
}

// settings returns the effective settings by variable, secrets masked.
func (c config) settings() map[string]string {
	v := reflect.ValueOf(c)
	settings := map[string]string{}
	for i, name := range variables() {
		settings[name] = fmt.Sprint(v.Field(i).Interface())
	}
	return settings
}
