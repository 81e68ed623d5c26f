package publish

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"mkio-bridge/internal/durations"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// However the cache changes, the usual durations are those of the stays of all cached resources: so a bridge that has
// followed the log for long has the same as one that has just loaded the state bucket.
func TestDurationsMatchARecount(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	k := newHeads(event.NewNames(event.DefaultPrefix))
	for sequence := uint64(1); sequence < 3000; sequence++ {
		kind := []lifecycle.Kind{lifecycle.Job, lifecycle.LiveChannel}[rng.IntN(2)]
		resource := fmt.Sprintf("%s.p%d.%d", kind, rng.IntN(2), rng.IntN(20))
		f := &lifecycle.Fact{Sequence: sequence, State: "Running", Stays: lifecycle.Stays(fmt.Sprintf("Processing=%d&Starting=%d,4", rng.IntN(500), rng.IntN(50)))}
		switch rng.IntN(10) {
		case 0:
			k.remove(resource, k.sequence(resource))
		case 1:
			f.State = lifecycle.StateDeleted
			k.put(resource, head{fact: f, expect: sequence})
		default:
			k.putIfNewer(resource, head{fact: f, expect: sequence})
		}
	}
	var want durations.Table
	for name, g := range k.groups {
		for _, all := range []map[string]packed{g.living, g.deleted} {
			for _, at := range all {
				want.Add(event.KindOf(name), at.head().fact.Stays)
			}
		}
	}
	if got := (Heads{k}).Durations(); len(got) != 3 || !reflect.DeepEqual(got, want.All()) {
		t.Errorf("the durations are %+v, want %+v", got, want.All())
	}
	k.reset()
	if got := (Heads{k}).Durations(); len(got) > 0 {
		t.Errorf("an empty cache has the durations %+v", got)
	}
}
