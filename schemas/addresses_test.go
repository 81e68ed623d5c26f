package schemas_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// An address is the address of a channel in the AsyncAPI document, as a pattern of subjects.
type address struct {
	channel string
	pattern *regexp.Regexp
}

var parameter = regexp.MustCompile(`\\\{([A-Za-z]+)\\\}`)

// addresses returns the addresses of all channels. A parameter matches the values of its enum, else any token.
func addresses(t *testing.T) []address {
	t.Helper()
	document := asyncAPI(t)
	var all []address
	for name, c := range in(document, "channels") {
		channel := c.(object)
		pattern := parameter.ReplaceAllStringFunc(regexp.QuoteMeta(channel["address"].(string)), func(s string) string {
			p := resolve(t, document, in(channel, "parameters", strings.Trim(s, `\{}`))["$ref"].(string))
			if words := texts(p["enum"]); words != nil {
				return "(" + strings.Join(words, "|") + ")"
			}
			return "[A-Za-z0-9_=-]+"
		})
		all = append(all, address{name, regexp.MustCompile("^" + pattern + "$")})
	}
	return all
}

func texts(list any) []string {
	items, _ := list.([]any)
	var found []string
	for _, item := range items {
		found = append(found, fmt.Sprint(item))
	}
	return found
}

// sampleKeys returns keys of each kind, with ordinary and hostile names.
func sampleKeys(t *testing.T) []lifecycle.Key {
	t.Helper()
	long := strings.Repeat("é.", 200)
	var keys []lifecycle.Key
	for _, kind := range lifecycle.Kinds() {
		for _, name := range []string{"ep-0417", "ep 04.17", "=H*>{name}", "späť", long} {
			path := []string{name, name, name}[:kind.Depth()]
			project := name
			if kind == lifecycle.ScheduledOperation {
				path[0] = string(lifecycle.LiveChannel)
			}
			keys = append(keys, key(t, kind, project, path...))
		}
	}
	return keys
}

func TestEachSubjectHasOneAddress(t *testing.T) {
	channels := addresses(t)
	used := map[string]bool{}
	match := func(subject string) {
		t.Helper()
		var found []string
		for _, a := range channels {
			if a.pattern.MatchString(subject) {
				found = append(found, a.channel)
				used[a.channel] = true
			}
		}
		if len(found) != 1 {
			t.Errorf("%s has the addresses %v", subject, found)
		}
	}
	digest := event.Hash(nil)[:32]
	for _, k := range sampleKeys(t) {
		resource := names.Resource(k)
		for _, state := range []string{"Finished", "", "Wär=.", strings.Repeat("x", 2000)} {
			match(names.Subject(resource, state))
		}
		for _, reason := range []lifecycle.Reason{lifecycle.ReasonLate, lifecycle.ReasonConflict} {
			match(names.UnappliedPrefix() + "." + string(reason) + "." + resource + "." + digest)
		}
		match(names.StateSubject(resource))
		match(names.NotifyFailedSubject("failures", resource))
		if k.Kind == lifecycle.Job {
			match(names.ProgressSubject(resource))
		}
		if k.Kind != lifecycle.ChannelInstance { // channel instances are not swept
			match(names.AuditSubject(k.Project, k.Kind))
		}
	}
	for _, reason := range []lifecycle.Reason{lifecycle.ReasonMalformed, lifecycle.ReasonUnrecognised} {
		match(names.UnappliedPrefix() + "." + string(reason) + "." + digest)
	}
	for name, e := range readExamples(t) {
		if match(e.Subject); t.Failed() {
			t.Fatalf("in the example %s", name)
		}
	}
	for _, a := range channels {
		if !used[a.channel] {
			t.Errorf("nothing is written to the channel %s", a.channel)
		}
	}
}

func TestParametersListAllValues(t *testing.T) {
	parameters := in(asyncAPI(t), "components", "parameters")
	enumerated := func(name string) []string { return texts(in(parameters, name)["enum"]) }
	var all [4][]string
	var polled, parents []string
	for _, kind := range lifecycle.Kinds() {
		all[kind.Depth()] = append(all[kind.Depth()], string(kind))
		if kind != lifecycle.ChannelInstance {
			polled = append(polled, string(kind))
		}
		if _, _, ok := mkio.Path(key(t, lifecycle.ScheduledOperation, "p", string(kind), "a", "b")); ok {
			parents = append(parents, string(kind))
		}
	}
	same(t, "kind", enumerated("kind"), all[1])
	same(t, "nestedKind", enumerated("nestedKind"), all[2])
	same(t, "the kinds in the addresses", []string{string(lifecycle.ScheduledOperation)}, all[3])
	same(t, "polledKind", enumerated("polledKind"), polled)
	same(t, "parentKind", enumerated("parentKind"), parents)
	var reasons []string
	for _, r := range lifecycle.Reasons() {
		reasons = append(reasons, string(r))
	}
	same(t, "reasons", append(enumerated("unorderedReason"), enumerated("unreadReason")...), reasons)
}

// same compares two lists in any order.
func same(t *testing.T, what string, is, want []string) {
	t.Helper()
	is, want = slices.Sorted(slices.Values(is)), slices.Sorted(slices.Values(want))
	if !slices.Equal(is, want) {
		t.Errorf("%s: %v, and the code has %v", what, is, want)
	}
}
