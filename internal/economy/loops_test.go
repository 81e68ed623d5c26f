package economy_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/economy"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/mkio/mkiofake"
)

// kinds are the kinds that the loops ask for.
var kinds = []lifecycle.Kind{
	lifecycle.Asset, lifecycle.ContentKeyPolicy, lifecycle.Job, lifecycle.LiveEvent, lifecycle.LiveOutput,
	lifecycle.StreamingEndpoint, lifecycle.StreamingLocator, lifecycle.LiveChannel, lifecycle.ScheduledOperation,
}

// An executed loop sends its requests to a simulated MK.IO.
type executed struct {
	t       *testing.T
	fake    *mkiofake.MKIO
	client  *mkio.Client
	begin   time.Time
	now     time.Duration // of the instant
	states  map[lifecycle.Key]shown
	log     []economy.Observation
	asked   []time.Duration
	deleted bool // it looks for deletions
}

// shown is what the loop last saw of a resource.
type shown struct{ life, state string }

// RoundTrip notes when a request is sent.
func (e *executed) RoundTrip(r *http.Request) (*http.Response, error) {
	e.asked = append(e.asked, e.now)
	return e.fake.RoundTrip(r)
}

// note notes a state. At the begin of the day the loop knows everything.
func (e *executed) note(key lifecycle.Key, life, state string) {
	if is := (shown{life, state}); e.states[key] != is {
		e.states[key] = is
		e.log = append(e.log, economy.Observation{Key: key, Life: life, State: state, At: e.now})
	}
}

// noteGone notes that a resource is gone.
func (e *executed) noteGone(key lifecycle.Key) {
	life := e.states[key].life
	delete(e.states, key)
	if e.deleted {
		e.log = append(e.log, economy.Observation{Key: key, Life: life, State: lifecycle.StateDeleted, At: e.now})
	}
}

// state asks for the state of one resource.
func (e *executed) state(key lifecycle.Key, life string) {
	var state string
	var err error
	if key.Kind == lifecycle.ScheduledOperation { // has no /state
		var snapshot mkio.Snapshot
		snapshot, err = e.client.Get(e.t.Context(), mkio.Urgent, key)
		state = snapshot.State
	} else {
		state, _, err = e.client.State(e.t.Context(), mkio.Urgent, key)
	}
	switch {
	case mkio.IsNotFound(err):
		e.noteGone(key)
	case err != nil:
		e.t.Fatal(err)
	case state == "StandBy": // a stopped live event
		e.note(key, life, "Stopped")
	default:
		e.note(key, life, state)
	}
}

// askEach asks for the state of each resource whose name it knows.
func (e *executed) askEach() {
	lives := map[lifecycle.Key]string{}
	for key, is := range e.states {
		lives[key] = is.life
	}
	for key, c := range e.fake.Current() {
		lives[key] = c.Life
	}
	for key, life := range lives {
		e.state(key, life)
	}
}

// lists walks all lists; with since, what was modified since then.
func (e *executed) lists(since time.Time) {
	listed := map[lifecycle.Key]bool{}
	var parents []lifecycle.Key
	walk := func(l mkio.List, filter mkio.Filter) {
		pages, _ := e.client.Pages(l, filter)
		for pages.More() {
			page, err := pages.Next(e.t.Context(), mkio.Urgent, l)
			if err != nil {
				e.t.Fatal(err)
			}
			for _, row := range page.Rows {
				listed[row.Key] = true
				if _, ok := mkio.ListBelow(row.Key); ok {
					parents = append(parents, row.Key)
				}
				if !l.Stateless() {
					e.note(row.Key, row.Life, row.State)
				} else if is, known := e.states[row.Key]; !known || is.life != row.Life {
					e.states[row.Key] = shown{life: row.Life, state: "unknown"}
				}
			}
		}
	}
	for _, l := range mkio.Lists(economy.Project, kinds) {
		walk(l, mkio.Filter{Since: since})
	}
	if !since.IsZero() {
		parents = nil
		for key := range e.states {
			if _, ok := mkio.ListBelow(key); ok {
				parents = append(parents, key)
			}
		}
	}
	for _, parent := range parents {
		below, _ := mkio.ListBelow(parent)
		walk(below, mkio.Filter{})
	}
	for key, is := range e.states {
		stateless := key.Kind == lifecycle.Asset || key.Kind == lifecycle.ContentKeyPolicy
		switch {
		case since.IsZero() && !listed[key]:
			e.noteGone(key)
		case stateless && (is.state == "unknown" || lifecycle.InMotion(key.Kind, is.state, "")):
			e.state(key, is.life)
		}
	}
}

// The results of the loops, which are computed, are those of loops that send their requests.
func TestLoopsAreComputedAsTheyAreExecuted(t *testing.T) {
	few := economy.Size{Resources: 200, Jobs: 20, Sessions: 2, Burst: 50, Length: 6 * time.Minute, WorkUntil: 2 * time.Minute}
	many := few // lists of more than one page, in the list of what has changed too
	many.Resources, many.Burst = 3_100, 2_600
	for i, loop := range economy.Loops() {
		t.Run(loop.Name, func(t *testing.T) {
			size := many
			if i == 0 {
				size = few
			}
			synctest.Test(t, func(t *testing.T) {
				e := newExecuted(t, i != 2)
				day := economy.NewDay(size, 7, e.begin)
				ask := []func(){
					e.askEach,
					func() { e.lists(time.Time{}) },
					func() { e.lists(e.begin.Add(e.now - economy.Every)) },
				}[i]
				e.play(day, size.Length, ask)
				timeline := economy.NewTimeline(e.fake.Changes(), e.begin, size.Length)
				want, got := timeline.Bridge(e.log, e.asked), loop.Run(timeline, kinds)
				if economy.Table([]economy.Row{{Result: got}}) != economy.Table([]economy.Row{{Result: want}}) {
					t.Errorf("computed\n%sexecuted\n%s", economy.Table([]economy.Row{{Result: got}}), economy.Table([]economy.Row{{Result: want}}))
				}
				if got.Changes.Seen == got.Changes.All || got.Deletions.All == 0 {
					t.Errorf("%v changes and %v deletions: the day proves less than it claims", got.Changes, got.Deletions)
				}
			})
		})
	}
}

func newExecuted(t *testing.T, deleted bool) *executed {
	t.Helper()
	e := &executed{t: t, begin: time.Now().Add(time.Hour), states: map[lifecycle.Key]shown{}, deleted: deleted}
	e.fake = mkiofake.New(mkiofake.Config{Projects: []string{economy.Project}, ReadLimit: -1})
	client, err := mkio.NewClient(mkio.ClientConfig{
		BaseURL: "https://app.mk.io", Token: func() string { return "any" }, PerMinute: 1e9, Transport: e,
	})
	if err != nil {
		t.Fatal(err)
	}
	e.client = client
	return e
}

// play plays a day, and asks at each instant.
func (e *executed) play(day economy.Day, length time.Duration, ask func()) {
	for _, step := range day.Rest {
		e.fake.Create(step.Key, step.State)
	}
	e.fake.Play(day.Steps)
	ctx, stop := context.WithCancel(e.t.Context())
	var playing sync.WaitGroup
	playing.Go(func() { _ = e.fake.Run(ctx) })
	time.Sleep(time.Until(e.begin))
	for key, c := range e.fake.Current() {
		e.states[key] = shown{c.Life, c.State}
	}
	for ; e.now < length; e.now += economy.Every {
		time.Sleep(time.Until(e.begin.Add(e.now)))
		ask()
	}
	stop()
	playing.Wait()
}
