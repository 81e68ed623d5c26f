package publish

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// sortedTokens returns the tokens of [Heads.Sorted].
func sortedTokens(h Heads, kinds []lifecycle.Kind, projects []string, after string) (tokens []string) {
	for resource := range h.Sorted(kinds, projects, after) {
		tokens = append(tokens, resource)
	}
	return tokens
}

// Whatever is cached, moved to the deleted ones and removed, the tokens are those that are cached, in order.
func TestSortedHasAllCachedResourcesInOrder(t *testing.T) {
	names := event.NewNames(event.DefaultPrefix)
	token := rapid.Custom(func(t *rapid.T) string {
		kind := rapid.SampledFrom([]lifecycle.Kind{lifecycle.Asset, lifecycle.ContentKeyPolicy, lifecycle.Job}).Draw(t, "kind")
		project := rapid.SampledFrom([]string{"a", "a-b", "ab", strings.Repeat("long", 40)}).Draw(t, "project")
		path := make([]string, kind.Depth())
		for i := range path {
			path[i] = rapid.SampledFrom([]string{"1", "1-", "10", "A.B", "ö"}).Draw(t, "name")
		}
		key, err := lifecycle.NewKey(kind, project, path...)
		if err != nil {
			t.Fatal(err)
		}
		return names.Resource(key)
	})
	rapid.Check(t, func(t *rapid.T) {
		h, want := Heads{newHeads(names)}, map[string]uint64{}
		for sequence := uint64(1); sequence < 40; sequence++ {
			resource := token.Draw(t, "resource")
			switch state := rapid.SampledFrom([]string{"Ready", "Deleted", ""}).Draw(t, "state"); state {
			case "":
				h.remove(resource, want[resource])
				delete(want, resource)
			default:
				h.putIfNewer(resource, head{fact: &lifecycle.Fact{Sequence: sequence, State: state}, expect: sequence})
				want[resource] = sequence
			}
		}
		kinds := rapid.SliceOfNDistinct(rapid.SampledFrom([]lifecycle.Kind{lifecycle.Asset, lifecycle.Job}), 0, 2, rapid.ID[lifecycle.Kind]).Draw(t, "only kinds")
		projects := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "a-b", strings.Repeat("long", 40)}), 0, 2, rapid.ID[string]).Draw(t, "only projects")
		after := rapid.OneOf(rapid.Just(""), token).Draw(t, "after")
		var tokens []string
		for resource := range want {
			group := event.GroupOf(resource)
			isOf := func(project string) bool { return slices.Contains(names.Groups(event.KindOf(group), project), group) }
			selected := (len(kinds) == 0 || slices.Contains(kinds, event.KindOf(group))) && (len(projects) == 0 || slices.ContainsFunc(projects, isOf))
			if selected && resource > after {
				tokens = append(tokens, resource)
			}
		}
		slices.Sort(tokens)
		if got := sortedTokens(h, kinds, projects, after); !slices.Equal(got, tokens) {
			t.Fatalf("after %q: %q, want %q", after, got, tokens)
		}
		for resource, fact := range h.Sorted(nil, nil, "") {
			if fact.Sequence != want[resource] {
				t.Fatalf("%s has event %d, want %d", resource, fact.Sequence, want[resource])
			}
		}
	})
}

// The cache may be written and reset during an iteration.
func TestSortedDuringChanges(t *testing.T) {
	h := Heads{newHeads(event.NewNames(event.DefaultPrefix))}
	const count = 3 * sortedPart
	for i := range uint64(count) {
		h.putIfNewer(fmt.Sprintf("asset.p.%04d", i), head{fact: &lifecycle.Fact{Sequence: i + 1, State: "Ready"}})
	}
	seen := 0
	for resource, fact := range h.Sorted(nil, nil, "") {
		if seen++; seen == 1 {
			h.remove(fmt.Sprintf("asset.p.%04d", count-1), count)
			h.putIfNewer("asset.p.9999", head{fact: &lifecycle.Fact{Sequence: count + 1, State: "Deleted"}})
		}
		if resource == "asset.p.9999" && fact.State != "Deleted" {
			t.Errorf("it is %s", fact.State)
		}
	}
	if seen != count {
		t.Errorf("%d resources, want %d", seen, count)
	}
	seen = 0
	for range h.Sorted(nil, nil, "") {
		if seen++; seen == 1 {
			h.reset()
		}
	}
	if seen != sortedPart {
		t.Errorf("%d resources after a reset, want those that were already read", seen)
	}
}

// A list that passes over many resources does not allocate for each of them.
func TestSortedAllocations(t *testing.T) {
	h := Heads{newHeads(event.NewNames(event.DefaultPrefix))}
	const count, most = 20_000, 20
	for i := range count {
		h.putIfNewer(fmt.Sprintf("job.aurora-vod.ladder-hd.title-%06d", i), head{fact: jobFact(uint64(i + 1))})
	}
	allocations := testing.AllocsPerRun(5, func() {
		seen := 0
		for _, fact := range h.Sorted([]lifecycle.Kind{lifecycle.Job}, []string{"aurora-vod"}, "") {
			if fact.State == "Finished" {
				seen++
			}
		}
		if seen != count {
			t.Errorf("%d resources", seen)
		}
	})
	if allocations > most {
		t.Errorf("%v allocations for %d resources, want at most %d", allocations, count, most)
	}
}
