package admin

import (
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

// Parameters that requests of /v1 can have.
var (
	resourceParameters = []string{"kind", "project", "name", "state", "phase"}
	eventParameters    = append(slices.Clone(resourceParameters), "from", "since", "until", "by")
	retryParameters    = []string{"dryRun", "keep"}
)

// withParameters refuses a request with a parameter other than those that the next handler reads: one that is misspelt would
// leave a filter out, and the answer would be of everything.
func withParameters(parameters []string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := checkParameters(r.URL.RawQuery, parameters); err != nil {
			problem.Write(w, http.StatusBadRequest, err.Error())
			return
		}
		next(w, r)
	}
}

// longestName is how much of an unknown parameter's name is compared and shown, in bytes.
const longestName = 64

// checkParameters refuses a query that cannot be read whole, and names that are unknown or given twice.
func checkParameters(query string, parameters []string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return fmt.Errorf("the query cannot be read: %w: percent-encode names and values, and join parameters by &", err)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(parameters, name) {
			return unknownParameter(name, parameters)
		}
		if n := len(values[name]); n > 1 {
			return fmt.Errorf("parameter %s is given %d times: give it once", name, n)
		}
	}
	return nil
}

func unknownParameter(name string, parameters []string) error {
	name = name[:min(len(name), longestName)]
	if len(parameters) == 0 {
		return fmt.Errorf("there is no parameter %q: this address takes none", name)
	}
	return fmt.Errorf("there is no parameter %q; the nearest is %s (all are %s)", name, spelling.Nearest(name, parameters), strings.Join(parameters, ", "))
}

// queryOf reads the filters of a request.
func queryOf(values url.Values) (eventlog.Query, error) {
	query := eventlog.Query{
		Project: values.Get("project"),
		Name:    values.Get("name"),
		State:   values.Get("state"),
	}
	err := readParameters(values, map[string]func(string) error{"kind": parsed(&query.Kind, lifecycle.ParseKind), "phase": parsed(&query.Phase, lifecycle.ParsePhase)})
	return query, err
}

// parsed returns a reader for [readParameters], which parses a value into a variable.
func parsed[T any](into *T, parse func(string) (T, error)) func(string) error {
	return func(v string) (err error) {
		*into, err = parse(v)
		return err
	}
}

// readParameters calls the reader of each parameter that is given, and stops at the first error.
func readParameters(values url.Values, read map[string]func(string) error) error {
	for _, name := range slices.Sorted(maps.Keys(read)) {
		if value := values.Get(name); value != "" {
			if err := read[name](value); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}
