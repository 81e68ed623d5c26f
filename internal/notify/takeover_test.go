package notify

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// compact removes repeats of the same message in a row: a crash may send it twice.
func compact(sent []string) []string { return slices.Compact(slices.Clone(sent)) }

// statesOf returns the states that were sent of a resource, in their order.
func statesOf(sent []string, name string) (states []string) {
	for _, s := range sent {
		if state, ok := strings.CutPrefix(s, name+" "); ok {
			states = append(states, state)
		}
	}
	return states
}

var jobStates = []string{"Queued", "Scheduled", "Processing", "Finished"}

// Two processes with the same rules send each event once, in order. When the one that runs a rule is stopped, killed or cut
// off, the other one continues, and nothing is lost.
func TestTwoProcessesShareTheRules(t *testing.T) {
	for _, end := range []string{"stopped", "killed"} {
		t.Run(end, func(t *testing.T) {
			virtual(t, func(f *fixture) {
				f.rules("  - {name: a, target: main}\n")
				_, stopA := f.run()
				a := f.last
				f.run()
				f.target("main").answers(func(_ context.Context, sent string) error {
					if strings.HasPrefix(sent, "slow") {
						time.Sleep(3 * time.Second)
					}
					return nil
				})
				for i, state := range jobStates {
					for _, name := range []string{"ep-1", "ep-2", "slow"} {
						f.add("news", name, state)
					}
					if i == 1 && end == "stopped" {
						stopA()
					}
					if i == 1 && end == "killed" {
						time.Sleep(time.Second) // in the middle of a message
						a.kill()
					}
				}
				time.Sleep(2 * time.Minute)
				sent := f.target("main").got()
				for _, name := range []string{"ep-1", "ep-2", "slow"} {
					if got := statesOf(sent, name); !slices.Equal(compact(got), jobStates) || end == "stopped" && len(got) != len(jobStates) {
						t.Errorf("%s: %q\n%s", name, got, f.log.String())
					}
				}
			})
		})
	}
}

// The process that runs a rule is killed at each step of a message, and started again. Nothing is lost, each resource is in
// order, and a message is sent again only if its acknowledgement was not stored.
func TestKilledAtEachStep(t *testing.T) {
	steps := map[string]func(kill func(), sent string) error{
		"before the target has it": func(kill func(), _ string) error { kill(); return errDown },
		"after the target has it":  func(kill func(), _ string) error { kill(); return nil },
		"before a dead letter":     func(kill func(), _ string) error { kill(); return &Permanent{errors.New("refused")} },
		"while it retries":         func(kill func(), _ string) error { time.AfterFunc(500*time.Millisecond, kill); return errDown },
	}
	for step, killing := range steps {
		t.Run(step, func(t *testing.T) {
			virtual(t, func(f *fixture) {
				f.rules("  - {name: a, target: main, retry: {first: 1s}}\n")
				var once sync.Once
				f.target("main").answers(func(_ context.Context, sent string) error {
					var err error
					if sent == "ep-1 Scheduled" {
						once.Do(func() { err = killing(f.last.kill, sent) })
					}
					return err
				})
				f.run()
				for _, state := range jobStates {
					f.add("news", "ep-1", state)
					f.add("news", "ep-2", state)
				}
				time.Sleep(5 * time.Second)
				f.run()
				time.Sleep(2 * time.Minute)
				sent := f.target("main").got()
				for _, name := range []string{"ep-1", "ep-2"} {
					if got := statesOf(sent, name); !slices.Equal(compact(got), jobStates) || len(got) > len(jobStates)+1 {
						t.Errorf("%s: %q\n%s", name, got, f.log.String())
					}
				}
			})
		})
	}
}
