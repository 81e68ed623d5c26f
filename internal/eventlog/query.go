package eventlog

import (
	"cmp"
	"strings"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// A Query selects events. A zero field matches everything.
type Query struct {
	Kind     lifecycle.Kind
	Project  string
	Name     string // the resource's own name, the last of its path
	State    string // without regard to case
	Phase    lifecycle.Phase
	Resource *lifecycle.Key // one resource; Kind, Project and Name are ignored then

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
// for each form of the project, because several filters make a server many times slower on a large stream.
func (l *Log) filters(q Query, events bool) []string {
	open := q.Resource == nil && q.Name == "" && (q.State == "" || !events)
	if open && q.Kind == "" && q.Project == "" {
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
		if q.State != "" {
			state = event.StateToken(q.State)
		}
		return l.names.Prefix() + "." + resource + "." + state
	}
	resources := l.resources(q)
	if open {
		resources = prefixPatterns(q.Kind, q.Project)
	}
	filters := make([]string, len(resources))
	for i, resource := range resources {
		filters[i] = subject(resource)
	}
	return filters
}

// prefixPatterns returns patterns of the resource tokens of a kind and project, of any depth.
func prefixPatterns(kind lifecycle.Kind, project string) []string {
	var found []string
	for _, p := range nameTokens(project) {
		found = append(found, cmp.Or(string(kind), "*")+"."+p+".>")
	}
	return found
}

// resources returns patterns of the resource tokens that match a query.
func (l *Log) resources(q Query) []string {
	if q.Resource != nil {
		return []string{l.names.Resource(*q.Resource)}
	}
	return resourcePatterns(q.Kind, q.Project, q.Name)
}

// resourcePatterns returns patterns of resource tokens, one for each depth and form of the names; an empty argument matches
// any. The patterns do not overlap.
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
