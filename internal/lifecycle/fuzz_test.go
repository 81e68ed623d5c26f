package lifecycle_test

import (
	"testing"
	"time"

	. "mkio-bridge/internal/lifecycle"
)

// FuzzDecide searches for observations that become an event and must not.
func FuzzDecide(f *testing.F) {
	f.Add("job", "Processing", "Finished", "", "", "a", "a", int64(1), int64(2), int64(0), int64(0), false)
	f.Add("live-channel", "Running", "", "Failed", "", "", "b", int64(2), int64(1), int64(1), int64(2), true)
	f.Add("asset", "Deleted", "Ready", "", "", "2031-03-04T10:00:00Z", "2031-03-04T10:00:00.0Z", int64(0), int64(0), int64(0), int64(5), true)
	f.Fuzz(func(t *testing.T, kind, recorded, state, provisioning, seenProvisioning, life, seenLife string, at, seenAt, modified, seenModified int64, poll bool) {
		timeOf := func(n int64) time.Time {
			if n == 0 {
				return time.Time{}
			}
			return time.Unix(n%1_000_000, 0)
		}
		names := []string{"a", "b", "c"}[:Kind(kind).Depth()]
		key, err := NewKey(Kind(kind), "p", names...)
		if err != nil {
			t.Skip()
		}
		last := Fact{Sequence: 3, Transition: 2, State: recorded, Provisioning: provisioning, Life: life, At: timeOf(at), Modified: timeOf(modified), Delivery: "d"}
		seen := Observation{Key: key, State: state, Provisioning: seenProvisioning, Life: seenLife, At: timeOf(seenAt), Modified: timeOf(seenModified), Delivery: &Delivery{ID: "e"}}
		if poll {
			seen.Basis, seen.Delivery = &last.Sequence, nil
		}
		v := Decide(&last, seen)
		if v != Decide(&last, seen) {
			t.Fatal("Decide is not a function of its arguments")
		}
		same := SameState(recorded, state) && ProvisioningFailed(provisioning) == ProvisioningFailed(seenProvisioning)
		if v.Outcome == Changed && same {
			t.Errorf("%q after %q is an event of the same pair", state, recorded)
		}
		if v.News() && !last.Modified.IsZero() && seen.Modified.Before(last.Modified) && !seen.Modified.IsZero() && seenLife == life {
			t.Errorf("%q, modified before the recorded %q, is news", state, recorded)
		}
		if v.Outcome == Reborn && SameState(recorded, StateDeleted) {
			t.Error("a deleted resource is deleted again")
		}
		if v.ByArrival().Outcome == Conflict || v.Outcome.String() == "none" {
			t.Errorf("verdict %v", v)
		}
	})
}
