package lifecycle

import (
	"testing"
	"time"
)

// A delivery says that a job is Processing, with the record from when it was Queued. A replica that lags then returns that
// record to a later poll. Its Date is current; only the unchanged modification time proves that it is stale.
func TestLaggingReplicaDoesNotMoveAJobBack(t *testing.T) {
	queued := time.Date(2031, time.March, 4, 10, 0, 7, 548655000, time.UTC)
	started := queued.Add(18 * time.Second)
	key, err := NewKey(Job, "aurora-vod", "ladder-hd", "ep-24")
	if err != nil {
		t.Fatal(err)
	}
	recorded := &Fact{Sequence: 7, Transition: 1, State: "Processing", Life: "life-1", At: started, Modified: queued, Delivery: "d-1"}
	basis := uint64(7)
	seen := Observation{
		Key: key, State: "Queued", Life: "life-1", Modified: queued, SeenBefore: started.Add(3 * time.Second), Basis: &basis, Via: Poll,
	}
	if v := Decide(recorded, seen); v.Outcome != Late {
		t.Errorf("the record from before the change is %s: %s", v.Outcome, v.Why)
	}
	seen.Modified = started.Add(time.Second)
	if v := Decide(recorded, seen); v.Outcome != Changed {
		t.Errorf("a job that MK.IO queued again is %s: %s", v.Outcome, v.Why)
	}
	seen.Modified = time.Time{}
	if v := Decide(recorded, seen); v.Outcome != Changed {
		t.Errorf("a record without a time is %s: %s", v.Outcome, v.Why)
	}
}
