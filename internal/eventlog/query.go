package eventlog

import (
	"cmp"
	"strings"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// A Query selects events. A zero field matches everything; of several values of one field, an event has one.
type Query struct {
	Kinds    []lifecycle.Kind
	Projects []string
	Name     string   // the resource's own name, the last of its path
	States   []string // without regard to case
	Phases   []lifecycle.Phase
	Vias     []lifecycle.Via
	Resource *lifecycle.Key // one resource; Kinds, Projects and Name are ignored then

	From   uint64    // first sequence
	To     uint64    // last sequence
	Since  time.Time // the beginning of a period, inclusive
	Until  time.Time // the end of a period, exclusive: adjacent periods share no event
	By     By        // the time of an event that is compared; "": ByRecorded
	Follow bool      // continue with new events, until the context ends or Until is reached

	// Of last events only, see [Query.Matcher]:

	NamePart      string    // a part of the resource's own name
	InStateBefore time.Time // the resource has its state since before this time
}

// filters returns the subject filters of a query; none if it matches all subjects, because the server compares every message
// with a filter, and every subject when it creates a consumer with one. Without a name and a state there is a single filter
// for each kind and each form of each project, because several filters make a server many times slower on a large stream.
// Several states are compared by [Query.matches] instead.
func (l *Log) filters(q Query, events bool) []string {
	byState := events && len(q.States) == 1
	open := q.Resource == nil && q.Name == "" && !byState
	if open && len(q.Kinds) == 0 && len(q.Projects) == 0 {
		return nil
	}
	subject := func(resource string) string {
		switch {
		case !events:
			return l.names.StateSubject(resource)
		case open:
			return l.names.Prefix() + "." + resource
		}
		state := "*"
		if byState {
			state = event.StateToken(q.States[0])
		}
		return l.names.Prefix() + "." + resource + "." + state
	}
	resources := l.resources(q)
	if open {
		resources = prefixPatterns(q.Kinds, q.Projects)
	}
	filters := make([]string, len(resources))
	for i, resource := range resources {
		filters[i] = subject(resource)
	}
	return filters
}

// prefixPatterns returns patterns of the resource tokens of kinds and projects, of any depth.
func prefixPatterns(kinds []lifecycle.Kind, projects []string) []string {
	var found []string
	for _, kind := range orAny(kinds) {
		for _, project := range orAny(projects) {
			for _, p := range nameTokens(project) {
				found = append(found, cmp.Or(string(kind), "*")+"."+p+".>")
			}
		}
	}
	return found
}

// orAny returns the values, or the zero value, which matches any.
func orAny[T any](values []T) []T {
	if len(values) == 0 {
		return make([]T, 1)
	}
	return values
}

// resources returns patterns of the resource tokens that match a query.
func (l *Log) resources(q Query) []string {
	if q.Resource != nil {
		return []string{l.names.Resource(*q.Resource)}
	}
	return allPatterns(q.Kinds, q.Projects, q.Name)
}

// allPatterns returns patterns of the resource tokens of kinds, projects and a name. They do not overlap.
func allPatterns(kinds []lifecycle.Kind, projects []string, name string) []string {
	var found []string
	for _, kind := range orAny(kinds) {
		for _, project := range orAny(projects) {
			found = append(found, resourcePatterns(kind, project, name)...)
		}
	}
	return found
}

// resourcePatterns returns patterns of resource tokens, one for each depth and form of the names; an empty argument matches
// any.
func resourcePatterns(kind lifecycle.Kind, project, name string) []string {
	depths, token := []int{1, 2, 3}, "*"
	if kind != "" {
		depths, token = []int{kind.Depth()}, string(kind)
	}
	var found []string
	for _, depth := range depths {
		for _, p := range nameTokens(project) {
			for _, n := range nameTokens(name) {
				found = append(found, token+"."+p+"."+strings.Repeat("*.", depth-1)+n)
			}
		}
	}
	return found
}

// nameTokens returns the tokens that a name can have in subjects; a wildcard for "".
func nameTokens(name string) []string {
	if name == "" {
		return []string{"*"}
	}
	return event.NameTokens(name)
}
