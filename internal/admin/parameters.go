package admin

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/problem"
	"mkio-bridge/internal/spelling"
)

// Query parameters of /v1.
var (
	filterParameters   = []string{"kind", "project", "name", "state", "phase", "via"}
	resourceParameters = append(slices.Clone(filterParameters), "stuck", "olderThan", "view", "limit", "after")
	eventParameters    = append(slices.Clone(filterParameters), "resource", "from", "since", "until", "by", "unnamed", "follow", "limit", "after", "tail", "before", "chain")
	retryParameters    = []string{"dryRun", "keep"}
)

// withParameters refuses requests with other parameters than those that the next handler reads: with a misspelt filter the
// response would contain everything.
func withParameters(parameters []string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := checkParameters(r.URL.RawQuery, parameters); err != nil {
			problem.Write(w, http.StatusBadRequest, err.Error())
			return
		}
		next(w, r)
	}
}

// maxNameLength is how much of an unknown parameter's name is compared and quoted, in bytes.
const maxNameLength = 64

// maxError is the length of an error, in bytes, that is sent to the client. Longer ones quote a long value.
const maxError = 512

// checkParameters returns an error for a query that does not parse completely, and for unknown or repeated parameters.
func checkParameters(query string, parameters []string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return fmt.Errorf("invalid query: %w: percent-encode names and values, and join parameters with &", err)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(parameters, name) {
			return unknownParameter(name, parameters)
		}
		if n := len(values[name]); n > 1 {
			return fmt.Errorf("parameter %s occurs %d times: use it once", name, n)
		}
	}
	return nil
}

func unknownParameter(name string, parameters []string) error {
	name = name[:min(len(name), maxNameLength)]
	if len(parameters) == 0 {
		return fmt.Errorf("unknown parameter %q: this endpoint has no parameters", name)
	}
	return fmt.Errorf("unknown parameter %q; the nearest is %s (parameters are %s)", name, spelling.Nearest(name, parameters), strings.Join(parameters, ", "))
}

// parseQuery parses the filters of a request. All but name and resource may have several values, separated by commas.
func parseQuery(values url.Values) (eventlog.Query, error) {
	query := eventlog.Query{Name: values.Get("name")}
	var resource lifecycle.Key
	err := readParameters(values, map[string]func(string) error{
		"kind":     parsed(&query.Kinds, eventlog.ListOf(lifecycle.ParseKind)),
		"project":  parsed(&query.Projects, eventlog.ParseWords),
		"state":    parsed(&query.States, eventlog.ParseWords),
		"phase":    parsed(&query.Phases, eventlog.ListOf(lifecycle.ParsePhase)),
		"via":      parsed(&query.Vias, eventlog.ListOf(lifecycle.ParseVia)),
		"resource": parsed(&resource, eventlog.ParseResource),
	})
	if values.Get("resource") != "" {
		query.Resource = &resource
		if len(query.Kinds) > 0 || len(query.Projects) > 0 || query.Name != "" {
			err = errors.Join(err, errors.New("resource excludes kind, project and name: it has them all"))
		}
	}
	return query, err
}

// parsed returns a reader for [readParameters], which parses a value into a variable.
func parsed[T any](into *T, parse func(string) (T, error)) func(string) error {
	return func(v string) (err error) {
		*into, err = parse(v)
		return err
	}
}

// readParameters calls the reader of each parameter that is set, and stops at the first error.
func readParameters(values url.Values, read map[string]func(string) error) error {
	for _, name := range slices.Sorted(maps.Keys(read)) {
		if value := values.Get(name); value != "" {
			err := read[name](value)
			if err != nil && len(err.Error()) > maxError {
				return fmt.Errorf("%s: invalid value of %d bytes: %.*q…", name, len(value), maxNameLength, value)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}
