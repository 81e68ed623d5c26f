package notify

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// A Filter selects events: every member that is set must match, with any of its values.
type Filter struct {
	Kind       Words `json:"kind"`
	Project    Words `json:"project"`
	Name       Words `json:"name"`       // the resource's own name; may hold *, ? and […]
	State      Words `json:"state"`      // without regard to case; unset is the empty state
	Phase      Words `json:"phase"`      //
	Via        Words `json:"via"`        // webhook, poll or history
	Discovered bool  `json:"discovered"` // also resources that existed before the bridge first saw them
}

// unsetState is the word for the empty state, as in subjects.
const unsetState = "unset"

// Match reports whether the filter selects an event.
func (f Filter) Match(e event.Event) bool {
	d := e.Data
	return f.Kind.has(string(d.Kind)) && f.Project.has(d.Project) && f.matchesName(d.Name) &&
		f.State.hasFold(cmp.Or(d.State, unsetState)) && f.Phase.has(string(d.Phase)) && f.Via.has(string(d.Via)) &&
		(f.Discovered || e.Type() != event.TypeOf(d.Kind, true))
}

func (f Filter) matchesName(name string) bool {
	return len(f.Name) == 0 || slices.ContainsFunc(f.Name, func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return err == nil && ok
	})
}

// check returns an error for a pattern that is not valid. The schema checks the rest.
func (f Filter) check() error {
	for _, pattern := range f.Name {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("name %q is not a valid pattern: close each [, or write \\[ for the character", pattern)
		}
	}
	return nil
}

// maxSubjects limits the subject filters of a consumer: many of them make a server slow.
const maxSubjects = 24

// Subjects returns the subject filters with which the server preselects events; none if it has to send all. Where the filter
// has many values, the server filters by fewer members, and [Filter.Match] does the rest.
func (f Filter) Subjects(names event.Names) []string {
	exact := f.Name
	if slices.ContainsFunc(f.Name, func(p string) bool { return strings.ContainsAny(p, `*?[\`) }) {
		exact = nil
	}
	for _, reduced := range []Filter{
		{Kind: f.Kind, Project: f.Project, Name: exact, State: f.State},
		{Kind: f.Kind, Project: f.Project, State: f.State},
		{Kind: f.Kind, Project: f.Project},
		{Kind: f.Kind},
	} {
		if subjects := reduced.product(names); len(subjects) <= maxSubjects {
			return subjects
		}
	}
	return nil
}

// product returns the subjects for every combination of the members' values.
func (f Filter) product(names event.Names) (subjects []string) {
	log := eventlog.New(nil, names)
	q := eventlog.Query{Projects: f.Project}
	for _, kind := range f.Kind {
		q.Kinds = append(q.Kinds, lifecycle.Kind(kind))
	}
	for _, q.Name = range orAny(f.Name) {
		for _, state := range orAny(f.State) {
			if q.States = nil; state != "" {
				q.States = []string{state}
			}
			subjects = append(subjects, log.Subjects(q)...)
		}
	}
	slices.Sort(subjects)
	return slices.Compact(subjects)
}

func orAny(w Words) Words {
	if len(w) == 0 {
		return Words{""}
	}
	return w
}

// String describes the filter in words.
func (f Filter) String() string {
	var parts []string
	add := func(member string, w Words) {
		if len(w) > 0 {
			parts = append(parts, member+" "+w.String())
		}
	}
	add("kind", f.Kind)
	add("project", f.Project)
	add("name", f.Name)
	add("state", f.State)
	add("phase", f.Phase)
	add("via", f.Via)
	if len(parts) == 0 {
		parts = append(parts, "every event")
	}
	if f.Discovered {
		parts = append(parts, "discovered resources too")
	}
	return strings.Join(parts, ", ")
}
