package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/eventlog"
)

// A rule sends what its filter selects, from its first run on, and each event once.
func TestRuleSendsWhatItsFilterSelects(t *testing.T) {
	virtual(t, func(f *fixture) {
		f.add("news", "old", "Queued")
		f.rules(`
  - {name: all, target: main}
  - {name: failed, target: other, filter: {project: news, phase: failed, name: "ep-*"}}
`)
		_, stop := f.run()
		f.add("news", "ep-1", "Queued")
		f.add("news", "ep-1", "Error")
		f.add("sport", "ep-1", "Error")
		f.add("news", "other", "Error")
		time.Sleep(time.Minute)
		f.want("main", "ep-1 Queued", "ep-1 Error", "ep-1 Error", "other Error")
		f.want("other", "ep-1 Error")
		stop()
		f.add("news", "ep-2", "Error") // while it does not run
		f.run()
		time.Sleep(time.Minute)
		f.want("other", "ep-1 Error", "ep-2 Error")
	})
}

// A target that is down for ten minutes gets everything afterwards, in order, and other rules are not delayed.
func TestTargetIsDownForTenMinutes(t *testing.T) {
	virtual(t, func(f *fixture) {
		f.rules("  - {name: a, target: main}\n  - {name: b, target: other}\n")
		f.target("main").answers(func(context.Context, string) error { return errDown })
		f.run()
		states := []string{"Queued", "Scheduled", "Processing", "Finished"}
		for _, state := range states {
			for _, name := range []string{"ep-1", "ep-2", "ep-3"} {
				f.add("news", name, state)
			}
			time.Sleep(time.Minute)
		}
		f.wantOrder("other", states, "ep-1", "ep-2", "ep-3")
		time.Sleep(6 * time.Minute)
		f.want("main")
		f.target("main").answers(nil)
		time.Sleep(20 * time.Minute)
		f.wantOrder("main", states, "ep-1", "ep-2", "ep-3")
		if tries := f.target("main").tries; tries > 60 {
			t.Errorf("a target that was down was tried %d times", tries)
		}
		if l := f.letters(); len(l) > 0 {
			t.Errorf("dead letters: %q", l)
		}
	})
}

// What a target refuses, or does not take in all tries, becomes a dead letter, and the resource's next event is sent.
func TestRefusedMessagesBecomeDeadLetters(t *testing.T) {
	virtual(t, func(f *fixture) {
		f.rules("  - {name: a, target: main, retry: {tries: 3, first: 1s}}\n")
		f.target("main").answers(func(ctx context.Context, sent string) error {
			switch sent {
			case "gone Queued":
				return &Permanent{errors.New("410 Gone")}
			case "broken Queued":
				return errors.New("500 Internal Server Error")
			case "hangs Queued":
				<-ctx.Done()
				return ctx.Err()
			case "panics Queued":
				panic("nil map")
			}
			return nil
		})
		f.run()
		for _, name := range []string{"gone", "broken", "hangs", "panics"} {
			f.add("news", name, "Queued")
			f.add("news", name, "Error")
		}
		time.Sleep(5 * time.Minute)
		f.want("main", "gone Error", "broken Error", "hangs Error", "panics Error")
		want := []string{
			"a broken Queued: 500 Internal Server Error", "a gone Queued: 410 Gone",
			"a hangs Queued: context deadline exceeded", "a panics Queued: target panicked: nil map",
		}
		if got := slices.Sorted(slices.Values(f.letters())); !slices.Equal(got, want) {
			t.Errorf("dead letters %q, want %q", got, want)
		}
	})
}

// The stream of dead letters is created again when it is gone.
func TestStreamOfDeadLettersIsGone(t *testing.T) {
	virtual(t, func(f *fixture) {
		f.rules("  - {name: a, target: main}\n")
		f.target("main").answers(func(context.Context, string) error { return &Permanent{errors.New("410 Gone")} })
		f.run()
		if err := f.js.DeleteStream(f.t.Context(), names.NotifyFailedStream()); err != nil {
			t.Fatal(err)
		}
		f.add("news", "ep-1", "Queued")
		time.Sleep(time.Minute)
		if got := f.letters(); !slices.Equal(got, []string{"a ep-1 Queued: 410 Gone"}) {
			t.Errorf("dead letters: %q", got)
		}
	})
}

// After a Retry-After nothing of the rule is sent before that time.
func TestRetryAfterHoldsTheRuleBack(t *testing.T) {
	virtual(t, func(f *fixture) {
		f.rules("  - {name: a, target: main}\n")
		start := time.Now()
		f.target("main").answers(func(context.Context, string) error {
			if time.Since(start) < 5*time.Minute {
				return &RetryAfter{errors.New("429 Too Many Requests"), 10 * time.Minute}
			}
			return nil
		})
		f.run()
		f.add("news", "ep-1", "Queued")
		time.Sleep(time.Minute)
		f.add("news", "ep-2", "Queued")
		time.Sleep(time.Hour)
		f.want("main", "ep-1 Queued", "ep-2 Queued")
		if m := f.target("main"); m.tries != 3 || m.times[0].Sub(start) < 10*time.Minute {
			t.Errorf("%d tries, the first taken after %s", m.tries, m.times[0].Sub(start))
		}
	})
}

// A Retry-After of the last try holds the rule back too.
func TestRetryAfterOfTheLastTry(t *testing.T) {
	virtual(t, func(f *fixture) {
		f.rules("  - {name: a, target: main, retry: {tries: 1}}\n")
		f.target("main").answers(func(_ context.Context, sent string) error {
			if sent == "ep-1 Queued" {
				return &RetryAfter{errors.New("429 Too Many Requests"), 10 * time.Minute}
			}
			return nil
		})
		f.run()
		f.add("news", "ep-1", "Queued")
		time.Sleep(time.Second)
		f.add("news", "ep-2", "Queued")
		time.Sleep(9 * time.Minute)
		f.want("main")
		time.Sleep(2 * time.Minute)
		f.want("main", "ep-2 Queued")
	})
}

// A rule that groups sends the first event at once, and then at most one message in the time, with the number of events.
func TestGroupsSendOneMessageInATime(t *testing.T) {
	virtual(t, func(f *fixture) {
		f.rules("  - {name: a, target: main, group: {every: 5m}}\n  - {name: b, target: other, group: {every: 5m, by: project}}\n")
		f.run()
		f.add("news", "ep-0", "Queued")
		time.Sleep(5 * time.Second)
		for i := 1; i < 60; i++ {
			f.add([]string{"news", "sport"}[i%2], fmt.Sprint("ep-", i), "Queued")
			time.Sleep(9 * time.Second) // no event comes at the end of a group's time
		}
		time.Sleep(5 * time.Minute)
		f.want("main", "ep-0 Queued", "ep-33 Queued ×33", "ep-59 Queued ×26")
		f.want("other", "ep-0 Queued", "ep-1 Queued", "ep-32 Queued ×16", "ep-33 Queued ×16", "ep-58 Queued ×13", "ep-59 Queued ×13")
	})
}

// What is due in a muted time is dropped and counted. Virtual time begins at 00:00 UTC.
func TestMutedTime(t *testing.T) {
	virtual(t, func(f *fixture) {
		f.rules(`  - {name: a, target: main, mute: [{to: "00:10"}]}` + "\n")
		n, _ := f.run()
		f.add("news", "ep-1", "Queued")
		time.Sleep(10 * time.Minute)
		f.add("news", "ep-1", "Error")
		time.Sleep(time.Second)
		f.want("main", "ep-1 Error")
		wantMetric(f.t, n, "mkio_bridge_notify_muted_total", "a", 1)
		wantMetric(f.t, n, "mkio_bridge_notify_sent_total", "a", 1)
	})
}

// Messages of different resources are sent side by side, as many as the rule allows; those of one resource never.
func TestResourcesAreSentSideBySide(t *testing.T) {
	virtual(t, func(f *fixture) {
		f.rules("  - {name: a, target: main, parallel: 3}\n")
		f.target("main").answers(func(context.Context, string) error { time.Sleep(time.Second); return nil })
		f.run()
		for _, state := range []string{"Queued", "Processing", "Finished"} {
			for i := range 4 {
				f.add("news", fmt.Sprint("ep-", i), state)
			}
		}
		time.Sleep(time.Minute)
		f.wantOrder("main", []string{"Queued", "Processing", "Finished"}, "ep-0", "ep-1", "ep-2", "ep-3")
		if m := f.target("main"); m.at != 3 || m.times[len(m.times)-1].Sub(m.times[0]) > 5*time.Second {
			t.Errorf("at most %d at a time, in %s", m.at, m.times[len(m.times)-1].Sub(m.times[0]))
		}
	})
}

// A changed rules file is applied: rules that are the same go on, a changed rule keeps its place. A file with mistakes
// changes nothing.
func TestReload(t *testing.T) {
	virtual(t, func(f *fixture) {
		f.rules("  - {name: a, target: main, filter: {project: news}}\n  - {name: b, target: other}\n")
		n, _ := f.run()
		f.target("main").answers(func(context.Context, string) error { return errDown })
		f.add("news", "ep-1", "Queued")
		time.Sleep(time.Minute)
		f.rules("  - {name: a, target: nowhere}\n")
		time.Sleep(time.Minute)
		wantMetric(f.t, n, "mkio_bridge_notify_reload_failed", "", 1)
		if !f.log.Contains("there is no target nowhere") {
			t.Error("the mistake is not logged")
		}
		f.rules("  - {name: a, target: main, filter: {project: [news, sport]}}\n")
		time.Sleep(time.Minute)
		wantMetric(f.t, n, "mkio_bridge_notify_reload_failed", "", 0)
		f.target("main").answers(nil)
		f.add("sport", "ep-2", "Queued")
		time.Sleep(time.Minute)
		f.want("main", "ep-1 Queued", "ep-2 Queued")
		f.want("other", "ep-1 Queued")
		if err := n.Ready(); err != nil {
			t.Error(err)
		}

		f.target("other").setMissing(errors.New("its secret does not exist"))
		f.rules("  - {name: c, target: other}\n")
		time.Sleep(time.Minute)
		wantMetric(f.t, n, "mkio_bridge_notify_reload_failed", "", 1)
		f.target("other").setMissing(nil) // without a change of the file
		time.Sleep(time.Minute)
		wantMetric(f.t, n, "mkio_bridge_notify_reload_failed", "", 0)
		if count := strings.Count(f.log.String(), "its secret does not exist"); count != 1 {
			t.Errorf("the mistake is logged %d times", count)
		}
	})
}

// A consumer that was deleted continues at the rule's position. Of a log that replaces another, what was stored since is sent.
func TestDeletedConsumerAndLog(t *testing.T) {
	virtual(t, func(f *fixture) {
		f.rules("  - {name: a, target: main}\n")
		f.run()
		f.add("news", "ep-1", "Queued")
		time.Sleep(surveyInterval / 2) // the place is more recent than the last survey
		if err := f.js.DeleteConsumer(f.t.Context(), names.EventStream(), "notify-a"); err != nil {
			t.Fatal(err)
		}
		f.add("news", "ep-2", "Queued")
		time.Sleep(time.Minute)
		f.want("main", "ep-1 Queued", "ep-2 Queued")
		if !strings.Contains(f.log.String(), "consumer was deleted; continuing at the rule's position") {
			t.Error(f.log.String())
		}
		if err := f.js.DeleteStream(f.t.Context(), names.EventStream()); err != nil {
			f.t.Fatal(err)
		}
		f.createStreams()
		f.add("news", "ep-3", "Queued")
		time.Sleep(time.Minute)
		f.want("main", "ep-1 Queued", "ep-2 Queued", "ep-3 Queued")
	})
}

// A bridge lists the rules with their filter, what waits, the last error and the dead letters.
func TestRulesAreListed(t *testing.T) {
	virtual(t, func(f *fixture) {
		f.rules("  - {name: a, target: main, filter: {kind: job}}\n  - {name: b, target: other}\n")
		f.target("main").answers(func(_ context.Context, sent string) error {
			if sent == "ep-1 Queued" {
				return &Permanent{errors.New("410 Gone")}
			}
			return errDown
		})
		f.run()
		f.add("news", "ep-1", "Queued")
		f.add("news", "ep-1", "Error")
		f.add("news", "ep-2", "Error")
		time.Sleep(2 * time.Minute)
		list := func() (all []string) {
			rules, err := eventlog.New(f.js, names).NotifyRules(f.t.Context())
			if err != nil {
				f.t.Fatal(err)
			}
			for _, r := range rules {
				all = append(all, fmt.Sprintf("%s %s to %s: %d wait, %t, %q, %d dead", r.Rule, r.Filter, r.Target, r.Lag, r.Active, r.LastError, r.DeadLetters))
			}
			return all
		}
		want := []string{`a kind job to main: 2 wait, true, "connection refused", 1 dead`, `b every event to other: 0 wait, true, "", 0 dead`}
		if got := list(); !slices.Equal(got, want) {
			f.t.Errorf("%q\nwant %q", got, want)
		}
		f.target("main").answers(nil)
		time.Sleep(10 * time.Minute)
		want[0] = `a kind job to main: 0 wait, true, "", 1 dead`
		if got := list(); !slices.Equal(got, want) {
			f.t.Errorf("%q\nwant %q", got, want)
		}
		f.want("main", "ep-1 Error", "ep-2 Error")
	})
}
