package console

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"mkio-bridge/internal/lifecycle"
)

var (
	quoted       = regexp.MustCompile(`"([^"]*)"`)
	announcement = regexp.MustCompile(`"?([a-z-]+)"?: (\[[^\]]*\]|channel\b)`)
)

// tableIn returns the text of a constant of a module, up to its end.
func tableIn(t *testing.T, module, constant string) string {
	t.Helper()
	_, rest, found := strings.Cut(readAll(t)[module], "const "+constant+" = ")
	table, _, ended := strings.Cut(rest, ";\n")
	if !found || !ended {
		t.Fatalf("%s has no constant %s", module, constant)
	}
	return table
}

func stringsIn(text string) (all []string) {
	for _, match := range quoted.FindAllStringSubmatch(text, -1) {
		all = append(all, match[1])
	}
	return all
}

// The filters offer the kinds that the bridge knows, each once.
func TestKindsAreThoseOfTheBridge(t *testing.T) {
	var want []string
	for _, kind := range lifecycle.Kinds() {
		want = append(want, string(kind))
	}
	got := stringsIn(tableIn(t, "screens/resources.js", "kinds"))
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the console has the kinds\n%q, the bridge\n%q", got, want)
	}
}

// The screen Webhooks expects deliveries for the changes for which the bridge does, but for the kinds of which that is uncertain.
func TestAnnouncedStatesAreThoseOfTheBridge(t *testing.T) {
	channel := stringsIn(tableIn(t, "screens/webhooks.js", "channel"))
	announced := map[string][]string{}
	for _, match := range announcement.FindAllStringSubmatch(tableIn(t, "screens/webhooks.js", "announced"), -1) {
		announced[match[1]] = stringsIn(match[2])
		if match[2] == "channel" {
			announced[match[1]] = channel
		}
	}
	before := &lifecycle.Fact{State: "another"}
	for _, kind := range lifecycle.Kinds() {
		for _, state := range lifecycle.States(kind) {
			seen := lifecycle.Observation{Key: lifecycle.Key{Kind: kind}, State: state.State}
			want := lifecycle.SendsWebhook(before, seen) && !lifecycle.WebhookUncertain(kind)
			if got := slices.Contains(announced[string(kind)], strings.ToLower(state.State)); got != want {
				t.Errorf("%s %s: the console expects a delivery: %v, the bridge: %v", kind, state.State, got, want)
			}
		}
	}
}
