package publish

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/lifecycle"
)

// On a replicated stream a write may be in the state bucket right after a read did not find it in the log. That is not a log
// that lost an event, and no reason to refuse deliveries.
func TestReadHeadFindsAnEventStoredMeanwhile(t *testing.T) {
	both := bridges(t, 2)
	other, p := both[0], both[1]
	key, err := lifecycle.NewKey(lifecycle.Job, "aurora-vod", "ladder-hd", "ep-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Load(t.Context()); err != nil { // so that it knows that the log has no limits
		t.Fatal(err)
	}
	get := p.reader.get
	p.reader.get = func(ctx context.Context, stream string, request map[string]any) (*storedMessage, error) {
		if stream == p.names.StateStream() { // between the two reads
			if _, err := other.Observe(ctx, lifecycle.Observation{Key: key, State: "Processing", At: time.Now(), Via: lifecycle.Poll}); err != nil {
				t.Error(err)
			}
			for found := (*storedMessage)(nil); found == nil && err == nil; {
				found, err = get(ctx, stream, request) // the server fills the bucket on its own
			}
		}
		return get(ctx, stream, request)
	}
	at, err := p.readHead(t.Context(), p.Token(key))
	if err != nil || at.fact == nil || at.fact.State != "Processing" || at.expect != at.fact.Sequence {
		t.Errorf("head %+v, %v", at, err)
	}
}

// A server that was just elected leader may report an older end of the log. That must not count as a log that lost its end:
// every delivery would be refused, and the cache loaded again.
func TestNewLeaderReportingAnOldLogEndIsTheSameLog(t *testing.T) {
	defer brokertest.StartServerClock()()
	synctest.Test(t, func(t *testing.T) { // the waits are virtual
		p := bridges(t, 1)[0]
		if err := p.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		result := p.watchdog.queryStreams(t.Context()) // an empty log
		infos := result.Infos
		if p.watchdog.streams.Record(result); p.watchdog.streams.Err() != nil {
			t.Fatal(p.watchdog.streams.Err())
		}
		key, err := lifecycle.NewKey(lifecycle.Job, "aurora-vod", "ladder-hd", "ep-1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Observe(t.Context(), lifecycle.Observation{Key: key, State: "Processing", At: time.Now(), Via: lifecycle.Poll}); err != nil {
			t.Fatal(err)
		}
		if err := p.follower.checkSameLog(t.Context(), infos[p.names.EventStream()], infos[p.names.StateStream()], p.Horizon()); err != nil {
			t.Errorf("the log with one event more than reported: %v", err)
		}
		if lost, err := p.follower.lostEnd(t.Context(), 0, p.Horizon()+1); err != nil || !lost {
			t.Errorf("a log that stays shorter: lost %t, %v", lost, err)
		}
	})
}
