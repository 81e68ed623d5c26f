package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"mkio-bridge/internal/spelling"
)

// A variable is what sets a field of the configuration.
type variable struct{ name, byDefault, meaning string }

// manual lists all settings, in the order of their fields. envconfig would list them with text/template, for which the
// linker keeps every method of every type, a seventh of the bridge.
func manual() []variable {
	var all []variable
	for _, f := range reflect.VisibleFields(reflect.TypeFor[config]()) {
		if f.IsExported() {
			name := prefix + "_" + strings.ToUpper(between.ReplaceAllString(f.Name, "${1}${3}_${2}${4}"))
			all = append(all, variable{name, f.Tag.Get("default"), f.Tag.Get("desc")})
		}
	}
	return all
}

// between matches where a word of a field's name ends.
var between = regexp.MustCompile(`([^A-Z])([A-Z])|([A-Z])([A-Z][^A-Z])`)

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

// injected matches what Kubernetes puts into a pod's environment for a Service named bridge.
var injected = regexp.MustCompile(`_PORT$|_PORT_|_SERVICE_`)

// checkNames refuses variables that look like the bridge's and are not: a typo must not silently leave
// a default in place.
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
		errs = append(errs, fmt.Errorf("%s is no setting of this version of the bridge; the nearest is %s (bridge config -h lists all)", name, spelling.Nearest(name, known)))
	}
	return errors.Join(errs...)
}

func runConfig(_ context.Context, c *call) error {
	if _, err := c.parse(c.flags(), 0); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			printManual(c.stdout)
		}
		return err
	}
	conf, err := loadConfig()
	if err != nil {
		return usageError{err}
	}
	return printConfig(c.stdout, conf)
}

// printManual writes what each setting means, and its default.
func printManual(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range manual() {
		fmt.Fprintf(table, "%s\t%s\t%s\n", v.name, v.byDefault, v.meaning)
	}
	_ = table.Flush() // nobody is left to tell
	fmt.Fprintf(w, "\nWith %s added to its name, a secret's variable names a file to read it from.\n", fileSuffix)
}

// printConfig writes the settings in force, secrets masked.
func printConfig(w io.Writer, c config) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	v := reflect.ValueOf(c)
	for i, name := range variables() {
		fmt.Fprintf(table, "%s\t%v\n", name, v.Field(i).Interface())
	}
	return table.Flush()
}
