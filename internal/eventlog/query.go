package eventlog

import (
	"strings"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// A Query chooses events. Zero fields choose everything.
type Query struct {
	Kind     lifecycle.Kind
	Project  string
	Name     string         // the resource's own name, the last of its path
	State    string         // without regard to case
	Resource *lifecycle.Key // of one resource alone; Kind, Project and Name are its own then

	From   uint64    // first sequence
	Since  time.Time // when the log took it; not together with From
	To     uint64    // last sequence
	Until  time.Time
	Follow bool // go on with what comes, until the context ends
}

// over says whether an event, and so all that follow, comes after what is asked for.
func (q Query) over(r Raw) bool {
	return !q.Until.IsZero() && r.Stored.After(q.Until) || q.To > 0 && r.Sequence > q.To
}

// exact says whether subjects alone choose the events.
func (q Query) exact() bool {
	for _, name := range []string{q.Project, q.Name} {
		if len(event.NameToken(name)) > longToken {
			return false
		}
	}
	return true
}

// matches compares what subjects may not say exactly.
func (q Query) matches(e event.Event) bool {
	return (q.Project == "" || e.Data.Project == q.Project) && (q.Name == "" || e.Data.Name == q.Name)
}

// filters returns the subjects that a query's events can be on: one for each depth of names.
func (l *Log) filters(q Query, events bool) []string {
	var filters []string
	for _, resource := range l.resources(q) {
		if !events {
			filters = append(filters, l.names.StateSubject(resource))
			continue
		}
		state := "*"
		if q.State != "" {
			state = event.StateToken(q.State)
		}
		filters = append(filters, l.names.Prefix()+"."+resource+"."+state)
	}
	return filters
}

// resources returns patterns of resource tokens.
func (l *Log) resources(q Query) []string {
	if q.Resource != nil {
		return []string{l.names.Resource(*q.Resource)}
	}
	depths := []int{1, 2, 3}
	if q.Kind != "" {
		depths = []int{q.Kind.Depth()}
	}
	var patterns []string
	for _, depth := range depths {
		tokens := []string{token(string(q.Kind)), token(q.Project)}
		for range depth - 1 {
			tokens = append(tokens, "*")
		}
		patterns = append(patterns, strings.Join(append(tokens, token(q.Name)), "."))
	}
	return patterns
}

// longToken is the length from which a token may be cut in subjects; then any is taken and the event
// itself is compared.
const longToken = 80

func token(name string) string {
	if t := event.NameToken(name); name != "" && len(t) <= longToken {
		return t
	}
	return "*"
}
