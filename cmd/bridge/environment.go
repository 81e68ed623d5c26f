package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/kelseyhightower/envconfig"
)

// variables returns the names of all settings, in the order of their fields.
func variables(c *config) []string {
	return strings.Fields(usage(c, `{{range .}}{{usage_key .}} {{end}}`))
}

func secretNames() []string {
	var c config
	var names []string
	for name := range c.secrets() {
		names = append(names, "`"+name+"`")
	}
	slices.Sort(names)
	return names
}

// usage fills a template of envconfig's.
func usage(c *config, format string) string {
	var b bytes.Buffer
	if err := envconfig.Usagef(prefix, c, &b, format); err != nil {
		panic(err) // the template is ours
	}
	return b.String()
}

// injected matches what Kubernetes puts into a pod's environment for a Service named bridge.
var injected = regexp.MustCompile(`_PORT$|_PORT_|_SERVICE_`)

// checkNames refuses variables that look like the bridge's and are not: a typo must not silently leave
// a default in place.
func checkNames(environ, known []string) error {
	for _, name := range known {
		if slices.Contains(secretNames(), "`"+name+"`") {
			known = append(known, name+fileSuffix)
		}
	}
	var errs []error
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, prefix+"_") || slices.Contains(known, name) || injected.MatchString(name) {
			continue
		}
		errs = append(errs, fmt.Errorf("%s is no setting of this version of the bridge; the nearest is %s (bridge config -h lists all)", name, nearest(name, known)))
	}
	return errors.Join(errs...)
}

// nearest returns the candidate with the smallest edit distance.
func nearest(name string, candidates []string) string {
	return slices.MinFunc(candidates, func(a, b string) int { return distance(name, a) - distance(name, b) })
}

// distance is the Levenshtein distance of two strings.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
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
	var c config
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, usage(&c, "{{range .}}{{usage_key .}}\t{{usage_default .}}\t{{usage_description .}}\n{{end}}"))
	_ = table.Flush() // nobody is left to tell
	fmt.Fprintf(w, "\nWith %s added to its name, a secret's variable names a file to read it from.\n", fileSuffix)
}

// printConfig writes the settings in force, secrets masked.
func printConfig(w io.Writer, c config) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	v := reflect.ValueOf(c)
	for i, name := range variables(&c) {
		fmt.Fprintf(table, "%s\t%v\n", name, v.Field(i).Interface())
	}
	return table.Flush()
}
