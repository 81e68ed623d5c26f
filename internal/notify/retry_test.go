package notify

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/eventlog"
)

// A dead letter is sent again with the rules as they are, and deleted when the target has it.
func TestRetryOfDeadLetters(t *testing.T) {
	virtual(t, func(f *fixture) {
		name := f.rules("  - {name: a, target: main, group: {every: 1m}}\n")
		f.target("main").answers(func(context.Context, string) error { return &Permanent{errors.New("400\nBad Request")} })
		f.run()
		for _, state := range jobStates {
			f.add("news", "ep-1", state)
			time.Sleep(time.Second)
		}
		time.Sleep(5 * time.Minute)
		dead, err := OpenStream(f.t.Context(), f.js, names, StreamOptions{})
		if err != nil {
			f.t.Fatal(err)
		}
		letters, err := dead.List(f.t.Context())
		if err != nil || len(letters) != 2 || letters[1].Count != 3 || letters[1].First != 2 || letters[1].Sequence != 4 || letters[1].Reason != "400 Bad Request" {
			f.t.Fatalf("%+v, %v", letters, err)
		}
		rules, err := Load(name)
		if err != nil {
			f.t.Fatal(err)
		}
		letters[1].Event = nil // it was too large: the log has it
		r := Retrier{File: rules, JS: f.js, Names: names, Dead: dead, Open: func(r *Rule) (Target, error) { return f.target(r.Target), nil }}
		if err := r.Retry(f.t.Context(), letters[0]); err == nil || !strings.Contains(err.Error(), "400") {
			f.t.Error(err)
		}
		f.target("main").answers(nil)
		for _, l := range letters {
			if err := r.Retry(f.t.Context(), l); err != nil {
				f.t.Error(err)
			}
		}
		if got := f.target("main").got(); !slices.Equal(got, []string{"ep-1 Queued", "ep-1 Finished ×3"}) {
			f.t.Errorf("sent %q", got)
		}
		if count, err := dead.Count(f.t.Context()); err != nil || count != 0 {
			f.t.Errorf("%d dead letters are left, %v", count, err)
		}
		if err := r.Retry(f.t.Context(), Letter{Rule: "gone"}); err == nil {
			f.t.Error("a letter of an unknown rule was sent")
		}
	})
}

// When the target is down, the further letters of the rule are left. A letter that is refused for good holds up no other.
func TestRetryOfManyDeadLetters(t *testing.T) {
	t.Parallel()
	dead, err := OpenFile(filepath.Join(t.TempDir(), "failed.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	_, payload, err := (&Rule{RuleConfig: RuleConfig{Name: "a"}}).Sample(names, epoch)
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range []string{"no event", string(payload), string(payload), string(payload)} {
		if err := dead.Store(t.Context(), Letter{Rule: "a", Event: []byte(event), Count: 1}); err != nil {
			t.Fatal(err)
		}
	}
	letters, err := dead.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file, err := Parse("rules.yaml", []byte("targets: {main: {webhook: {url: \"http://127.0.0.1:1\"}}}\nrules: [{name: a, target: main}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	target := &fakeTarget{answer: func(context.Context, string) error { return errDown }}
	r := Retrier{File: file, Dead: dead, Open: func(*Rule) (Target, error) { return target, nil }}
	sent := 0
	retry := func() error { return r.RetryAll(t.Context(), letters, func(Letter) error { sent++; return nil }) }
	if err := retry(); target.tries != 1 || sent != 0 || !strings.Contains(err.Error(), "2 further dead letters were not tried") {
		t.Errorf("%d tries, %d sent, %v", target.tries, sent, err)
	}
	target.answers(nil)
	if err := retry(); target.tries != 4 || sent != 3 || err == nil || strings.Contains(err.Error(), "further") {
		t.Errorf("%d tries, %d sent, %v", target.tries, sent, err)
	}
}

// A preview shows what would have been sent, with groups and muted times, and sends nothing.
func TestPreview(t *testing.T) {
	virtual(t, func(f *fixture) {
		name := f.rules("  - {name: a, target: main}\n  - {name: b, target: main, group: {every: 5m}, mute: [{to: \"00:02\"}], title: \"{{.data.state}} {{.count}}\"}\n")
		for _, state := range jobStates {
			f.add("news", "ep-1", state)
			time.Sleep(2 * time.Minute)
		}
		rules, err := Load(name)
		if err != nil {
			f.t.Fatal(err)
		}
		var got []string
		for _, r := range rules.Rules {
			err := r.Preview(eventlog.New(f.js, names).Events(f.t.Context(), eventlog.Query{}), func(p Preview) error {
				line := p.Rule + " " + p.Time.Format("15:04") + " " + p.Title
				if p.Muted {
					line += " muted"
				}
				got = append(got, line)
				return nil
			})
			if err != nil {
				f.t.Fatal(err)
			}
		}
		want := []string{
			"a 00:00 job news/ladder/ep-1 is Queued", "a 00:02 job news/ladder/ep-1 is Scheduled", "a 00:04 job news/ladder/ep-1 is Processing",
			"a 00:06 job news/ladder/ep-1 is Finished", "b 00:00 Queued 1 muted", "b 00:05 Processing 2", "b 00:10 Finished 1",
		}
		if !slices.Equal(got, want) {
			f.t.Errorf("%q\nwant %q", got, want)
		}
	})
}
