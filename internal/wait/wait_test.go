package wait

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/streams"
)

// errTimedOut is why the context of a wait ends.
var errTimedOut = errors.New("timed out")

// A waitStep is what happens in a minute of a story: a state is recorded, the position is taken, or the wait begins.
type waitStep struct {
	life, state string
	ago         time.Duration // since when, by MK.IO, it is in the state
	undated     bool          // MK.IO does not tell
	discovered  bool
	mark        string
}

// The steps that are no state.
var (
	takeSince = waitStep{mark: "since"}
	beginWait = waitStep{mark: "wait"}
	pass      = waitStep{mark: "pass"}
)

func is(life, state string) waitStep { return waitStep{life: life, state: state} }

// recordedLate is a state of some minutes ago.
func recordedLate(life, state string, minutes int) waitStep {
	return waitStep{life: life, state: state, ago: time.Duration(minutes) * time.Minute}
}

// A waitStory is a log with a resource to which the steps of a story happen.
type waitStory struct {
	t         *testing.T
	key       lifecycle.Key
	js        jetstream.JetStream
	log       *eventlog.Log
	reader    *nats.Conn // of the log
	publisher *publish.Publisher
	created   map[string]time.Time
	since     time.Time
	sequence  uint64 // of the log when since was taken
}

// holdClock is called before a bubble, and release after it. nats.go pools timers for all of a process, and a timer of one
// bubble must not be used outside: two collections empty the pool.
func holdClock() (release func()) {
	free := brokertest.HoldClock()
	return func() {
		free()
		runtime.GC()
		runtime.GC()
	}
}

// storyOf begins a story in a bubble of package synctest.
func storyOf(t *testing.T, key lifecycle.Key, maxAge time.Duration) *waitStory {
	t.Helper()
	server := brokertest.Start(t)
	nc, js := server.Connect()
	reader, reading := server.Connect()
	names := event.NewNames(event.DefaultPrefix)
	if err := streams.Ensure(t.Context(), js, streams.Config{Names: names, Replicas: 1, Create: true, MaxAge: maxAge}); err != nil {
		t.Fatal(err)
	}
	return &waitStory{
		t: t, key: key, js: js, log: eventlog.New(reading, names), reader: reader, created: map[string]time.Time{},
		publisher: publish.New(nc, js, publish.Config{Names: names, BaseURL: "https://app.mk.io", Log: slog.New(slog.DiscardHandler)}),
	}
}

// happen takes a minute.
func (s *waitStory) happen(step waitStep) {
	s.t.Helper()
	time.Sleep(time.Minute)
	switch step.mark {
	case "since":
		info, err := s.log.Stream(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		s.since, s.sequence = time.Now(), info.State.LastSeq
		return
	case "wait", "pass":
		return
	}
	if s.created[step.life].IsZero() {
		s.created[step.life] = time.Now().Add(-step.ago)
	}
	o := lifecycle.Observation{
		Key: s.key, State: step.state, Life: step.life, Created: s.created[step.life], At: time.Now().Add(-step.ago),
		Via: lifecycle.Webhook, Delivery: &lifecycle.Delivery{ID: time.Now().String(), Type: "MediaKind.Test", Received: time.Now()},
		Discovered: step.discovered, Source: "/x", Subject: "x",
	}
	if step.undated {
		o.At = time.Time{}
	}
	if v, err := s.publisher.Observe(s.t.Context(), o); err != nil || v.Outcome != lifecycle.Changed {
		s.t.Fatalf("%+v: %s (%s), %v", step, v.Outcome, v.Why, err)
	}
}

// wait begins a wait and returns where its end comes: the sequence and state of the event that ended it, or "timed out".
func (s *waitStory) wait(g Goal, p Position) <-chan string {
	ctx, cancel := context.WithTimeoutCause(s.t.Context(), time.Hour, errTimedOut)
	ended := make(chan string, 1)
	go func() {
		defer cancel()
		e, err := Since(ctx, s.log, s.key, g, p)
		switch {
		case errors.Is(err, errTimedOut):
			ended <- "timed out"
		case e == nil:
			ended <- err.Error()
		case err != nil:
			ended <- fmt.Sprintf("%d %s: ended otherwise", e.Sequence, e.Event.Data.State)
		default:
			ended <- fmt.Sprintf("%d %s", e.Sequence, e.Event.Data.State)
		}
	}()
	return ended
}

var (
	waitedJob     = mustKey(lifecycle.Job, "p1", "t", "reused")
	waitedChannel = mustKey(lifecycle.LiveChannel, "p1", "news")
	waitedAsset   = mustKey(lifecycle.Asset, "p1", "reel")
)

func mustKey(kind lifecycle.Kind, project string, n ...string) lifecycle.Key {
	key, err := lifecycle.NewKey(kind, project, n...)
	if err != nil {
		panic(err)
	}
	return key
}

// What ends a wait since a time, and since a sequence. A Deleted that another life implies has a sequence too.
func TestWhatEndsAWaitSince(t *testing.T) {
	succeeded, running, deleted := Goal{Phase: lifecycle.Succeeded}, Goal{States: []string{"Running"}}, Goal{Phase: lifecycle.Gone}
	const timedOut = "timed out"
	for _, tt := range []struct {
		name           string
		key            lifecycle.Key
		goal           Goal
		steps          []waitStep
		time, sequence string
	}{
		{
			"a job made anew fails, and the end of the life before is no success", waitedJob, succeeded,
			[]waitStep{is("1", "Finished"), takeSince, beginWait, is("2", "Queued"), is("2", "Error")},
			"4 Error: ended otherwise", "4 Error: ended otherwise",
		},
		{
			"a job made anew succeeds", waitedJob, succeeded,
			[]waitStep{is("1", "Error"), takeSince, beginWait, is("2", "Processing"), is("2", "Finished")},
			"4 Finished", "4 Finished",
		},
		{
			"a job made anew succeeded before the wait began", waitedJob, succeeded,
			[]waitStep{is("1", "Finished"), takeSince, is("2", "Processing"), is("2", "Finished"), beginWait},
			"4 Finished", "4 Finished",
		},
		{
			"a job succeeded and was deleted before the wait began", waitedJob, succeeded,
			[]waitStep{takeSince, is("1", "Finished"), is("1", "Deleted"), beginWait},
			"1 Finished", "1 Finished",
		},
		{
			"a new job", waitedJob, succeeded,
			[]waitStep{takeSince, beginWait, is("1", "Queued"), is("1", "Finished")},
			"2 Finished", "2 Finished",
		},
		{
			"the deletion of a life from before", waitedJob, succeeded,
			[]waitStep{is("1", "Processing"), takeSince, beginWait, is("1", "Deleted")},
			timedOut, timedOut,
		},
		{
			"the deletion of a life from before, recorded before the wait began", waitedJob, succeeded,
			[]waitStep{is("1", "Processing"), takeSince, is("1", "Deleted"), beginWait},
			timedOut, timedOut,
		},
		{
			"the deletion of the new life", waitedJob, succeeded,
			[]waitStep{is("1", "Finished"), takeSince, beginWait, is("2", "Queued"), is("2", "Deleted")},
			"4 Deleted: ended otherwise", "4 Deleted: ended otherwise",
		},
		{
			"a deletion that is waited for", waitedJob, deleted,
			[]waitStep{is("1", "Finished"), takeSince, beginWait, is("1", "Deleted")},
			"2 Deleted", "2 Deleted",
		},
		{
			"a deletion that is waited for, of a name that is in use again", waitedJob, deleted,
			[]waitStep{is("1", "Finished"), takeSince, is("2", "Queued"), beginWait},
			"2 Deleted", "2 Deleted",
		},
		{
			"a deletion that is waited for, of a name that was deleted again", waitedJob, deleted,
			[]waitStep{is("1", "Finished"), takeSince, is("2", "Queued"), is("2", "Deleted"), beginWait},
			"2 Deleted", "2 Deleted",
		},
		{
			"nothing new", waitedJob, succeeded,
			[]waitStep{is("1", "Finished"), takeSince, beginWait},
			timedOut, timedOut,
		},
		{
			"a job that was running already", waitedJob, succeeded,
			[]waitStep{is("1", "Processing"), takeSince, beginWait, is("1", "Finished")},
			"2 Finished", "2 Finished",
		},
		{
			"a job that was running already ends otherwise", waitedJob, succeeded,
			[]waitStep{is("1", "Processing"), takeSince, beginWait, is("1", "Canceled")},
			"2 Canceled: ended otherwise", "2 Canceled: ended otherwise",
		},
		{
			"a job that was running already, and had ended when the wait began", waitedJob, succeeded,
			[]waitStep{is("1", "Processing"), takeSince, is("1", "Finished"), beginWait},
			"2 Finished", "2 Finished",
		},
		{
			"a job that was running already succeeded, and was made anew before the wait began", waitedJob, succeeded,
			[]waitStep{is("1", "Processing"), takeSince, is("1", "Finished"), is("2", "Queued"), beginWait, is("2", "Error")},
			"5 Error: ended otherwise", "5 Error: ended otherwise",
		},
		{
			"a job that was running already was canceled and deleted before the wait began", waitedJob, succeeded,
			[]waitStep{is("1", "Processing"), takeSince, is("1", "Canceled"), is("1", "Deleted"), beginWait, is("2", "Finished")},
			"4 Finished", "4 Finished",
		},
		{
			"the end of the life before, recorded late: a sequence is no time, and does not tell", waitedJob, succeeded,
			[]waitStep{is("1", "Processing"), pass, takeSince, beginWait, recordedLate("1", "Finished", 3), is("2", "Queued"), is("2", "Error")},
			"5 Error: ended otherwise", "2 Finished",
		},
		{
			"an end that MK.IO does not date", waitedJob, succeeded,
			[]waitStep{is("1", "Processing"), takeSince, beginWait, {life: "1", state: "Finished", undated: true}},
			"2 Finished", "2 Finished",
		},
		{
			"MK.IO's clock is behind: the life was recorded since, so what MK.IO dates before counts", waitedJob, succeeded,
			[]waitStep{takeSince, beginWait, recordedLate("1", "Queued", 15), recordedLate("1", "Finished", 10)},
			"2 Finished", "2 Finished",
		},
		{
			"a job that was there before anybody looked", waitedJob, succeeded,
			[]waitStep{takeSince, beginWait, {life: "1", state: "Finished", discovered: true, ago: time.Hour}, is("2", "Finished")},
			"3 Finished", "1 Finished",
		},
		{
			"a channel that is started again", waitedChannel, running,
			[]waitStep{is("1", "Running"), is("1", "Stopped"), takeSince, beginWait, is("1", "Starting"), is("1", "Running")},
			"4 Running", "4 Running",
		},
		{
			"a channel that is restarted fails", waitedChannel, running,
			[]waitStep{is("1", "Running"), takeSince, beginWait, is("1", "Stopping"), is("1", "Errored")},
			"3 Errored: ended otherwise", "3 Errored: ended otherwise",
		},
		{
			"a channel that ran again before the wait began, and stopped", waitedChannel, running,
			[]waitStep{is("1", "Stopped"), takeSince, is("1", "Running"), is("1", "Stopping"), beginWait},
			"2 Running", "2 Running",
		},
		{
			"an asset without MK.IO's times", waitedAsset,
			Goal{States: []string{"ready"}},
			[]waitStep{{life: "1", state: "Ready", undated: true}, takeSince, beginWait, is("1", "Deleted"), {life: "2", state: "Ready", undated: true}},
			"3 Ready", "3 Ready",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			defer holdClock()()
			synctest.Test(t, func(t *testing.T) {
				s := storyOf(t, tt.key, 0)
				var byTime, bySequence <-chan string
				for _, step := range tt.steps {
					s.happen(step)
					if step == beginWait {
						byTime, bySequence = s.wait(tt.goal, Position{Time: s.since}), s.wait(tt.goal, Position{Sequence: s.sequence})
					}
				}
				if got := <-byTime; got != tt.time {
					t.Errorf("since a time: %s, want %s", got, tt.time)
				}
				if got := <-bySequence; got != tt.sequence {
					t.Errorf("since a sequence: %s, want %s", got, tt.sequence)
				}
			})
		})
	}
}

// A reader that loses its consumer and its connection goes on where it was.
func TestAWaitSinceOutlivesItsConnection(t *testing.T) {
	defer holdClock()()
	synctest.Test(t, func(t *testing.T) {
		s := storyOf(t, waitedJob, 0)
		for _, step := range []waitStep{is("1", "Finished"), takeSince, beginWait} {
			s.happen(step)
		}
		byTime, bySequence := s.wait(Goal{Phase: lifecycle.Succeeded}, Position{Time: s.since}), s.wait(Goal{Phase: lifecycle.Succeeded}, Position{Sequence: s.sequence})
		s.happen(is("2", "Processing"))
		stream, err := s.js.Stream(t.Context(), "MKIO_EVENTS")
		if err != nil {
			t.Fatal(err)
		}
		readers := 0
		for info := range stream.ListConsumers(t.Context()).Info() {
			if info.Config.FilterSubject != "mkio.job.p1.t.reused.*" && !slices.Contains(info.Config.FilterSubjects, "mkio.job.p1.t.reused.*") {
				continue // the state bucket is filled by one
			}
			readers++
			if err := stream.DeleteConsumer(t.Context(), info.Name); err != nil {
				t.Fatal(err)
			}
		}
		if readers < 2 {
			t.Errorf("%d consumers were deleted", readers)
		}
		if err := s.reader.ForceReconnect(); err != nil {
			t.Fatal(err)
		}
		for _, step := range []waitStep{is("2", "Finished"), is("2", "Deleted")} {
			s.happen(step)
		}
		for _, ended := range []<-chan string{byTime, bySequence} {
			if got := <-ended; got != "4 Finished" {
				t.Errorf("the wait ended by %s", got)
			}
		}
	})
}

// What has aged out of the log cannot be read any more; the last event of a resource can, and tells when it was recorded.
func TestAWaitSinceBeforeTheLogBegins(t *testing.T) {
	defer holdClock()()
	synctest.Test(t, func(t *testing.T) {
		s := storyOf(t, waitedJob, time.Hour)
		begun := time.Now()
		s.happen(is("1", "Processing"))
		s.happen(is("1", "Finished"))
		s.happen(takeSince)
		time.Sleep(2 * time.Hour)
		succeeded := Goal{Phase: lifecycle.Succeeded}
		for p, want := range map[Position]string{
			{Time: begun}:              "2 Finished",
			{Sequence: 0}:              "2 Finished",
			{Sequence: 1}:              "2 Finished",
			{Time: s.since}:            "timed out",
			{Sequence: s.sequence}:     "timed out",
			{Sequence: s.sequence + 1}: "3 is past the end of MKIO_EVENTS, whose last event is 2: give a sequence of this log (0: its beginning), or a time",
		} {
			if got := <-s.wait(succeeded, p); got != want {
				t.Errorf("since %s: %s, want %s", p, got, want)
			}
		}
		ended := s.wait(succeeded, Position{Sequence: s.sequence})
		s.happen(is("2", "Finished"))
		if got := <-ended; got != "4 Finished" {
			t.Errorf("the wait for the next life ended by %s", got)
		}
	})
}

// An event has its recordedtime in milliseconds and at times MK.IO's in seconds: what is finer in a position does not
// leave out an event of the same moment.
func TestAPositionIsAsFineAsATimeOfAnEvent(t *testing.T) {
	p := Position{Time: time.Date(2031, 3, 4, 10, 0, 7, 123456789, time.UTC)}
	recorded := func(at string) eventlog.Entry {
		return eventlog.Entry{Event: event.Event{RecordedTime: parseTime(t, at)}}
	}
	dated := func(at, from string) eventlog.Entry {
		return eventlog.Entry{Event: event.Event{Time: parseTime(t, at), Data: event.Data{Evidence: event.Evidence{TimeFrom: from}}}}
	}
	for at, want := range map[string]bool{
		"2031-03-04T10:00:07.122Z": false, "2031-03-04T10:00:07.123Z": true, "2031-03-04T11:00:07.123+01:00": true, "2031-03-04T10:00:07.124Z": true,
	} {
		if p.includes(recorded(at)) != want {
			t.Errorf("an event recorded at %s: %t", at, !want)
		}
	}
	for at, want := range map[string]bool{
		"2031-03-04T10:00:06Z": true, "2031-03-04T10:00:07Z": false, "2031-03-04T10:00:07.123Z": true, "2031-03-04T10:00:07.2Z": false,
	} {
		if p.outdated(dated(at, event.TimeFromMKIO)) != want {
			t.Errorf("an event of %s: %t", at, !want)
		}
		if p.outdated(dated(at, event.TimeFromObserved)) {
			t.Errorf("an event observed at %s is outdated, though MK.IO does not date it", at)
		}
	}
}

func parseTime(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
