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

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/streams"
)

// errTimedOut is the cause of the end of a wait's context.
var errTimedOut = errors.New("timed out")

// A waitStep is what happens in one minute of a scenario: a state is recorded, the position is taken, or the wait begins.
type waitStep struct {
	life, state string
	age         time.Duration // how long the resource has been in the state, by MK.IO's time
	undated     bool          // without MK.IO's time
	discovered  bool
	action      string
}

// Steps that record nothing.
var (
	takeSince = waitStep{action: "since"}
	beginWait = waitStep{action: "wait"}
	pass      = waitStep{action: "pass"}
)

func inState(life, state string) waitStep { return waitStep{life: life, state: state} }

// recordedLate is a state that MK.IO dates some minutes back.
func recordedLate(life, state string, minutes int) waitStep {
	return waitStep{life: life, state: state, age: time.Duration(minutes) * time.Minute}
}

// A scenario is a log and the resource that the steps happen to.
type scenario struct {
	t         *testing.T
	key       lifecycle.Key
	js        jetstream.JetStream
	log       *eventlog.Log
	reader    *nats.Conn // connection of log
	publisher *publish.Publisher
	created   map[string]time.Time
	since     time.Time
	sequence  uint64 // the log's last sequence at since
}

// holdClock is called before synctest.Test, and release after it. nats.go shares a pool of timers within the process, and a
// timer made in virtual time must not be used outside of it: two garbage collections empty the pool.
func holdClock() (release func()) {
	free := brokertest.StartServerClock()
	return func() {
		free()
		runtime.GC()
		runtime.GC()
	}
}

// newScenario starts a scenario. It must be called within synctest.Test.
func newScenario(t *testing.T, key lifecycle.Key, maxAge time.Duration) *scenario {
	t.Helper()
	server := brokertest.Start(t)
	nc, js := server.Connect()
	reader, reading := server.Connect()
	names := event.NewNames(event.DefaultPrefix)
	if err := streams.Ensure(t.Context(), js, streams.Config{Names: names, Replicas: 1, Create: true, MaxAge: maxAge}); err != nil {
		t.Fatal(err)
	}
	return &scenario{
		t: t, key: key, js: js, log: eventlog.New(reading, names), reader: reader, created: map[string]time.Time{},
		publisher: publish.New(nc, js, publish.Config{Names: names, BaseURL: "https://app.mk.io", Log: slog.New(slog.DiscardHandler)}),
	}
}

// apply lets a minute pass and applies a step.
func (s *scenario) apply(step waitStep) {
	s.t.Helper()
	time.Sleep(time.Minute)
	switch step.action {
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
		s.created[step.life] = time.Now().Add(-step.age)
	}
	o := lifecycle.Observation{
		Key: s.key, State: step.state, Life: step.life, Created: s.created[step.life], At: time.Now().Add(-step.age),
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

// wait starts a wait. The channel receives its end: sequence and state of the event that ended it, or "timed out".
func (s *scenario) wait(g Goal, p Position) <-chan string {
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
			ended <- fmt.Sprintf("%d %s: ended in another state", e.Sequence, e.Event.Data.State)
		default:
			ended <- fmt.Sprintf("%d %s", e.Sequence, e.Event.Data.State)
		}
	}()
	return ended
}

var (
	waitedJob     = newKey(lifecycle.Job, "p1", "t", "reused")
	waitedChannel = newKey(lifecycle.LiveChannel, "p1", "news")
	waitedAsset   = newKey(lifecycle.Asset, "p1", "reel")
)

func newKey(kind lifecycle.Kind, project string, n ...string) lifecycle.Key {
	key, err := lifecycle.NewKey(kind, project, n...)
	if err != nil {
		panic(err)
	}
	return key
}

// Each scenario is waited for since a time and since a sequence. A Deleted that a new life implies has a sequence too.
func TestSinceEndsByTheRightEvent(t *testing.T) {
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
			"a recreated job fails, and the success of the former life does not count", waitedJob, succeeded,
			[]waitStep{inState("1", "Finished"), takeSince, beginWait, inState("2", "Queued"), inState("2", "Error")},
			"4 Error: ended in another state", "4 Error: ended in another state",
		},
		{
			"a recreated job succeeds", waitedJob, succeeded,
			[]waitStep{inState("1", "Error"), takeSince, beginWait, inState("2", "Processing"), inState("2", "Finished")},
			"4 Finished", "4 Finished",
		},
		{
			"a recreated job succeeded before the wait began", waitedJob, succeeded,
			[]waitStep{inState("1", "Finished"), takeSince, inState("2", "Processing"), inState("2", "Finished"), beginWait},
			"4 Finished", "4 Finished",
		},
		{
			"a job succeeded and was deleted before the wait began", waitedJob, succeeded,
			[]waitStep{takeSince, inState("1", "Finished"), inState("1", "Deleted"), beginWait},
			"1 Finished", "1 Finished",
		},
		{
			"a new job", waitedJob, succeeded,
			[]waitStep{takeSince, beginWait, inState("1", "Queued"), inState("1", "Finished")},
			"2 Finished", "2 Finished",
		},
		{
			"the deletion of the former life", waitedJob, succeeded,
			[]waitStep{inState("1", "Processing"), takeSince, beginWait, inState("1", "Deleted")},
			timedOut, timedOut,
		},
		{
			"the deletion of the former life, recorded before the wait began", waitedJob, succeeded,
			[]waitStep{inState("1", "Processing"), takeSince, inState("1", "Deleted"), beginWait},
			timedOut, timedOut,
		},
		{
			"the deletion of the new life", waitedJob, succeeded,
			[]waitStep{inState("1", "Finished"), takeSince, beginWait, inState("2", "Queued"), inState("2", "Deleted")},
			"4 Deleted: ended in another state", "4 Deleted: ended in another state",
		},
		{
			"a deletion that is waited for", waitedJob, deleted,
			[]waitStep{inState("1", "Finished"), takeSince, beginWait, inState("1", "Deleted")},
			"2 Deleted", "2 Deleted",
		},
		{
			"a deletion that is waited for, of a name that is in use again", waitedJob, deleted,
			[]waitStep{inState("1", "Finished"), takeSince, inState("2", "Queued"), beginWait},
			"2 Deleted", "2 Deleted",
		},
		{
			"a deletion that is waited for, of a name that was deleted again", waitedJob, deleted,
			[]waitStep{inState("1", "Finished"), takeSince, inState("2", "Queued"), inState("2", "Deleted"), beginWait},
			"2 Deleted", "2 Deleted",
		},
		{
			"nothing new", waitedJob, succeeded,
			[]waitStep{inState("1", "Finished"), takeSince, beginWait},
			timedOut, timedOut,
		},
		{
			"a job that was running already", waitedJob, succeeded,
			[]waitStep{inState("1", "Processing"), takeSince, beginWait, inState("1", "Finished")},
			"2 Finished", "2 Finished",
		},
		{
			"a job that was running already ends otherwise", waitedJob, succeeded,
			[]waitStep{inState("1", "Processing"), takeSince, beginWait, inState("1", "Canceled")},
			"2 Canceled: ended in another state", "2 Canceled: ended in another state",
		},
		{
			"a job that was running already, and had ended when the wait began", waitedJob, succeeded,
			[]waitStep{inState("1", "Processing"), takeSince, inState("1", "Finished"), beginWait},
			"2 Finished", "2 Finished",
		},
		{
			"a job that was running already succeeded, and was recreated before the wait began", waitedJob, succeeded,
			[]waitStep{inState("1", "Processing"), takeSince, inState("1", "Finished"), inState("2", "Queued"), beginWait, inState("2", "Error")},
			"5 Error: ended in another state", "5 Error: ended in another state",
		},
		{
			"a job that was running already was canceled and deleted before the wait began", waitedJob, succeeded,
			[]waitStep{inState("1", "Processing"), takeSince, inState("1", "Canceled"), inState("1", "Deleted"), beginWait, inState("2", "Finished")},
			"4 Finished", "4 Finished",
		},
		{
			"the end of the former life, recorded late: a sequence cannot date it", waitedJob, succeeded,
			[]waitStep{inState("1", "Processing"), pass, takeSince, beginWait, recordedLate("1", "Finished", 3), inState("2", "Queued"), inState("2", "Error")},
			"5 Error: ended in another state", "2 Finished",
		},
		{
			"an end that MK.IO does not date", waitedJob, succeeded,
			[]waitStep{inState("1", "Processing"), takeSince, beginWait, {life: "1", state: "Finished", undated: true}},
			"2 Finished", "2 Finished",
		},
		{
			"MK.IO's clock is behind: the life was recorded since, so its dates do not matter", waitedJob, succeeded,
			[]waitStep{takeSince, beginWait, recordedLate("1", "Queued", 15), recordedLate("1", "Finished", 10)},
			"2 Finished", "2 Finished",
		},
		{
			"a discovered job", waitedJob, succeeded,
			[]waitStep{takeSince, beginWait, {life: "1", state: "Finished", discovered: true, age: time.Hour}, inState("2", "Finished")},
			"3 Finished", "1 Finished",
		},
		{
			"a channel that is started again", waitedChannel, running,
			[]waitStep{inState("1", "Running"), inState("1", "Stopped"), takeSince, beginWait, inState("1", "Starting"), inState("1", "Running")},
			"4 Running", "4 Running",
		},
		{
			"a channel that is restarted fails", waitedChannel, running,
			[]waitStep{inState("1", "Running"), takeSince, beginWait, inState("1", "Stopping"), inState("1", "Errored")},
			"3 Errored: ended in another state", "3 Errored: ended in another state",
		},
		{
			"a channel that ran again before the wait began, and stopped", waitedChannel, running,
			[]waitStep{inState("1", "Stopped"), takeSince, inState("1", "Running"), inState("1", "Stopping"), beginWait},
			"2 Running", "2 Running",
		},
		{
			"an asset without MK.IO's times", waitedAsset,
			Goal{States: []string{"ready"}},
			[]waitStep{{life: "1", state: "Ready", undated: true}, takeSince, beginWait, inState("1", "Deleted"), {life: "2", state: "Ready", undated: true}},
			"3 Ready", "3 Ready",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			defer holdClock()()
			synctest.Test(t, func(t *testing.T) {
				s := newScenario(t, tt.key, 0)
				var byTime, bySequence <-chan string
				for _, step := range tt.steps {
					s.apply(step)
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

// A wait continues where it was after its consumer is deleted and its connection lost.
func TestSinceSurvivesReconnects(t *testing.T) {
	defer holdClock()()
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t, waitedJob, 0)
		for _, step := range []waitStep{inState("1", "Finished"), takeSince, beginWait} {
			s.apply(step)
		}
		byTime, bySequence := s.wait(Goal{Phase: lifecycle.Succeeded}, Position{Time: s.since}), s.wait(Goal{Phase: lifecycle.Succeeded}, Position{Sequence: s.sequence})
		s.apply(inState("2", "Processing"))
		stream, err := s.js.Stream(t.Context(), "MKIO_EVENTS")
		if err != nil {
			t.Fatal(err)
		}
		readers := 0
		for info := range stream.ListConsumers(t.Context()).Info() {
			if info.Config.FilterSubject != "mkio.job.p1.t.reused.*" && !slices.Contains(info.Config.FilterSubjects, "mkio.job.p1.t.reused.*") {
				continue // the state bucket's consumer
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
		for _, step := range []waitStep{inState("2", "Finished"), inState("2", "Deleted")} {
			s.apply(step)
		}
		for _, ended := range []<-chan string{byTime, bySequence} {
			if got := <-ended; got != "4 Finished" {
				t.Errorf("the wait ended by %s", got)
			}
		}
	})
}

// Events removed by the age limit cannot be read any more; the last event of a resource can, from the state bucket, with the
// time of its recording.
func TestSinceBeforeTheFirstEventOfTheLog(t *testing.T) {
	defer holdClock()()
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t, waitedJob, time.Hour)
		start := time.Now()
		s.apply(inState("1", "Processing"))
		s.apply(inState("1", "Finished"))
		s.apply(takeSince)
		time.Sleep(2 * time.Hour)
		succeeded := Goal{Phase: lifecycle.Succeeded}
		for p, want := range map[Position]string{
			{Time: start}:              "2 Finished",
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
		s.apply(inState("2", "Finished"))
		if got := <-ended; got != "4 Finished" {
			t.Errorf("the wait for the next life ended by %s", got)
		}
	})
}

// Events have recordedtime in milliseconds and some of MK.IO's times in seconds: a position with finer digits must not
// exclude an event of the same time.
func TestPositionIgnoresFinerTimesThanEventsHave(t *testing.T) {
	p := Position{Time: time.Date(2031, 3, 4, 10, 0, 7, 123456789, time.UTC)}
	recorded := func(at string) eventlog.LoggedEvent {
		return eventlog.LoggedEvent{Event: event.Event{RecordedTime: parseTime(t, at)}}
	}
	dated := func(at, from string) eventlog.LoggedEvent {
		e := event.Event{Event: cloudevents.New(), Data: event.Data{Evidence: event.Evidence{TimeFrom: from}}}
		e.SetTime(parseTime(t, at))
		return eventlog.LoggedEvent{Event: e}
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
		if p.datedBefore(dated(at, event.TimeFromMKIO)) != want {
			t.Errorf("an event of %s: %t", at, !want)
		}
		if p.datedBefore(dated(at, event.TimeFromObserved)) {
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
