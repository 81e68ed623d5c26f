package publish

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/lifecycle"
)

// On a replicated stream a write may be seen in the state bucket by who has just not found it in the log: that is no
// log which lost something, and nothing to refuse deliveries for.
func TestWhatComesToTheLogWhileItIsLookedForIsFound(t *testing.T) {
	both := bridges(t, 2)
	other, p := both[0], both[1]
	key, err := lifecycle.NewKey(lifecycle.Job, "aurora-vod", "ladder-hd", "ep-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Load(t.Context()); err != nil { // it knows that the log keeps everything
		t.Fatal(err)
	}
	ask := p.reader.get
	p.reader.get = func(ctx context.Context, stream string, request map[string]any) (*stored, error) {
		if stream == p.names.StateStream() { // between the two questions
			if _, err := other.Observe(ctx, lifecycle.Observation{Key: key, State: "Processing", At: time.Now(), Via: lifecycle.Poll}); err != nil {
				t.Error(err)
			}
			for found := (*stored)(nil); found == nil && err == nil; {
				found, err = ask(ctx, stream, request) // the server fills the bucket on its own
			}
		}
		return ask(ctx, stream, request)
	}
	at, err := p.look(t.Context(), p.Token(key))
	if err != nil || at.fact == nil || at.fact.State != "Processing" || at.expect != at.fact.Sequence {
		t.Errorf("found %+v, %v", at, err)
	}
}

// A server of a cluster that was just chosen to lead told of an end of the log that it had not come to again: it was taken
// for a log that lost its end, and everything was refused and read again.
func TestALogWhoseEndIsToldTooEarlyIsNoOther(t *testing.T) {
	defer brokertest.HoldClock()()
	synctest.Test(t, func(t *testing.T) { // the waits are virtual
		p := bridges(t, 1)[0]
		if err := p.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		answers := p.watchdog.ask(t.Context()) // an empty log
		infos := answers.Infos
		if p.watchdog.streams.Note(answers); p.watchdog.streams.Err() != nil {
			t.Fatal(p.watchdog.streams.Err())
		}
		key, err := lifecycle.NewKey(lifecycle.Job, "aurora-vod", "ladder-hd", "ep-1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Observe(t.Context(), lifecycle.Observation{Key: key, State: "Processing", At: time.Now(), Via: lifecycle.Poll}); err != nil {
			t.Fatal(err)
		}
		if err := p.follower.sameLog(t.Context(), infos[p.names.EventStream()], infos[p.names.StateStream()], p.Horizon()); err != nil {
			t.Errorf("the log with one event more than was told: %v", err)
		}
		if lost, err := p.follower.lostEnd(t.Context(), 0, p.Horizon()+1); err != nil || !lost {
			t.Errorf("a log that stays shorter: lost %t, %v", lost, err)
		}
	})
}
