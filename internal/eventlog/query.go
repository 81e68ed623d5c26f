package eventlog

import (
	"cmp"
	"strings"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// A Query chooses events. Zero fields choose everything.
type Query struct {
	Kind     lifecycle.Kind
	Project  string
	Name     string // the resource's own name, the last of its path
	State    string // without regard to case
	Phase    lifecycle.Phase
	Resource *lifecycle.Key // of one resource alone; Kind, Project and Name are its own then

	From   uint64    // first sequence
	To     uint64    // last sequence
	Since  time.Time // the beginning of a period, which is part of it
	Until  time.Time // the end of a period, which is not part of it: adjacent periods share no event
	By     By        // which time of an event is in the period; "": ByRecorded
	Follow bool      // go on with what comes, until the context ends, or until the clock has come to Until
}

// filters returns the subjects that a query's events can be on; none where those are all of the stream, for the server
// holds each message against a filter, and all subjects when it makes a consumer with one. Where names and states are left open there is one alone:
// a server that has to hold a large stream against several takes many times as long.
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
		resources = beginnings(q.Kind, q.Project)
	}
	filters := make([]string, len(resources))
	for i, resource := range resources {
		filters[i] = subject(resource)
	}
	return filters
}

// beginnings returns patterns of the resource tokens of a kind and project, whatever their depth.
func beginnings(kind lifecycle.Kind, project string) []string {
	var found []string
	for _, p := range spellings(project) {
		found = append(found, cmp.Or(string(kind), "*")+"."+p+".>")
	}
	return found
}

// resources returns patterns of the resource tokens that a query chooses.
func (l *Log) resources(q Query) []string {
	if q.Resource != nil {
		return []string{l.names.Resource(*q.Resource)}
	}
	return patterns(q.Kind, q.Project, q.Name)
}

// patterns returns patterns of resource tokens, one for each depth and spelling; what is empty is any. They do not overlap.
func patterns(kind lifecycle.Kind, project, name string) []string {
	depths, token := []int{1, 2, 3}, "*"
	if kind != "" {
		depths, token = []int{kind.Depth()}, string(kind)
	}
	var found []string
	for _, depth := range depths {
		for _, p := range spellings(project) {
			for _, n := range spellings(name) {
				found = append(found, token+"."+p+"."+strings.Repeat("*.", depth-1)+n)
			}
		}
	}
	return found
}

// spellings returns the tokens that a name can have in subjects; any for none.
func spellings(name string) []string {
	if name == "" {
		return []string{"*"}
	}
	return event.NameTokens(name)
}
