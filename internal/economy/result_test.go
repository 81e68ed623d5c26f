package economy_test

import (
	"testing"
	"time"

	"mkio-bridge/internal/economy"
	"mkio-bridge/internal/lifecycle"
)

// channel returns the timeline of a channel that is on air twice and then deleted.
func channel(t *testing.T) (economy.Timeline, *economy.Life) {
	t.Helper()
	key, err := lifecycle.NewKey(lifecycle.LiveChannel, economy.Project, "news")
	if err != nil {
		t.Fatal(err)
	}
	life := &economy.Life{Key: key, ID: "1"}
	for i, state := range []string{"Stopped", "Running", "Stopped", "Running", "Stopping", "Stopped", lifecycle.StateDeleted} {
		life.Changes = append(life.Changes, economy.Change{State: state, At: time.Duration(i-1) * time.Minute})
	}
	return economy.Timeline{Length: time.Hour, Lives: []*economy.Life{life}}, life
}

func TestAStateThatIsRecordedOnceOfTwoTimesIsTheLaterOne(t *testing.T) {
	timeline, life := channel(t)
	observed := func(state string, at time.Duration) economy.Observation {
		return economy.Observation{Key: life.Key, Life: life.ID, State: state, At: at}
	}
	requests := []time.Duration{0, 30 * time.Second, 59 * time.Second, time.Minute, 10 * time.Minute}
	r := timeline.Bridge([]economy.Observation{
		observed("Stopped", -time.Minute), observed("Running", 2*time.Minute+3*time.Second), observed(lifecycle.StateDeleted, 40*time.Minute),
	}, requests)
	if r.Requests != 5 || r.MostPerMinute != 3 {
		t.Errorf("%d requests, %d in a minute", r.Requests, r.MostPerMinute)
	}
	if r.Changes != (economy.Count{Seen: 1, All: 5}) || r.Finals != (economy.Count{All: 1}) || r.Deletions != (economy.Count{Seen: 1, All: 1}) {
		t.Errorf("seen: changes %v, final states %v, deletions %v", r.Changes, r.Finals, r.Deletions)
	}
	if r.Delay(0.5) != 3*time.Second {
		t.Errorf("delay %s", r.Delay(0.5))
	}
	oracle := economy.Oracle(timeline)
	if lost := r.Lost(oracle); len(lost) != 1 || lost[0] != life {
		t.Errorf("lost %v", lost)
	}
	if lost := r.Lost(r); len(lost) != 0 {
		t.Errorf("lost %v, and the other lost it too", lost)
	}
	if oracle.Requests != 6 || oracle.MostPerMinute != 1 || oracle.Finals != (economy.Count{Seen: 1, All: 1}) {
		t.Errorf("oracle %+v", oracle)
	}
}
