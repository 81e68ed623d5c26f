package main

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// complete returns what a shell offers for the last word of a command line. Without a fault, files are never offered.
func complete(t *testing.T, call func(args ...string) (string, string, int), line string) []string {
	t.Helper()
	out, errs, code := call(append([]string{"__complete"}, strings.Split(line, " ")...)...)
	offered, directive, _ := strings.Cut("\n"+out, "\n:")
	if code != exitOK || strings.TrimSpace(directive) != "4" {
		t.Errorf("%q: exit %d, directive %q: %s", line, code, directive, errs)
	}
	return slices.DeleteFunc(strings.Split(offered, "\n"), func(s string) bool { return s == "" })
}

// Commands, kinds, states and other words are completed without a log; projects and names from the log.
func TestCompletion(t *testing.T) {
	_, call := bridgeWithEvents(t)
	for line, want := range map[string]string{
		"events --kind ":                    "job",
		"events --state ":                   "Finished",
		"events --kind live-event --state ": "StandBy",
		"events --phase ":                   "succeeded",
		"events -o ":                        "name",
		"events --by ":                      "recorded",
		"events -kind ":                     "job",
		"unapplied list --reason ":          "conflict",
		"webhook history --status ":         "Retrying",
		"mkio-fake --recreate-project ":     "aurora-vod",
		"schema ":                           "event.schema.json",
		"wait ":                             "streaming-locator",
		"wait job aurora-vod ladder-hd ep-0417 --for ": "Processing",
		"state --project ":                                       "aurora-vod",
		"state --kind job --project ":                            "aurora-vod",
		"webhook show --project ":                                "aurora-vod",
		"events --kind job --name ":                              "ep-0417",
		"unapplied list --kind job --project aurora-vod --name ": "ep-0417",
		"wait job ":                      "aurora-vod",
		"wait job aurora-vod ":           "ladder-hd",
		"wait job aurora-vod ladder-hd ": "ep-0417",
	} {
		if offered := complete(t, call, line); !slices.Contains(offered, want) {
			t.Errorf("%q: offered are %q, want %s", line, offered, want)
		}
	}
	for line, unwanted := range map[string]string{
		"events --kind job --state ":             "Ready",
		"state --kind asset --project ":          "aurora-vod",
		"events --project none --name ":          "ep-0417",
		"wait job aurora-vod other ":             "ep-0417",
		"wait job aurora-vod ladder-hd ep-0417 ": "ep-0417",
		"schema event.schema.json ":              "event.schema.json",
	} {
		if offered := complete(t, call, line); slices.Contains(offered, unwanted) {
			t.Errorf("%q: offered are %q, which has %s", line, offered, unwanted)
		}
	}
	if offered := complete(t, call, "wait job aurora-vod ladder-hd ep-0417 "); len(offered) > 0 {
		t.Errorf("behind the last name, %q are offered", offered)
	}
	if offered := complete(t, call, "webhook "); !slices.ContainsFunc(offered, func(s string) bool { return strings.HasPrefix(s, "register\t") }) {
		t.Errorf("subcommands: %q", offered)
	}
}

// A completion offers nothing, and says nothing, when NATS cannot be reached or a setting is invalid.
func TestCompletionWithoutALog(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections, and never responds
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	call := func(args ...string) (string, string, int) { return runCommand(t, args...) }
	for name, setting := range map[string]string{"nobody listens": "nats://127.0.0.1:1", "a silent server": "nats://" + silent.Addr().String(), "no server": ","} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("BRIDGE_NATS_URL", setting)
			for _, line := range []string{"state --project ", "wait job p t "} {
				if offered := complete(t, call, line); len(offered) > 0 {
					t.Errorf("%q: offered are %q", line, offered)
				}
			}
			if offered := complete(t, call, "wait "); !slices.Contains(offered, "job") {
				t.Errorf("kinds are not offered: %q", offered)
			}
		})
	}
}

// A completion gives up on a log that does not open in time, whether or not the attempt heeds its context.
func TestCompletionIsLimitedInTime(t *testing.T) {
	for name, block := range map[string]func(context.Context){
		"until the end": func(ctx context.Context) { <-ctx.Done() }, "longer": func(context.Context) { time.Sleep(time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				known := knownResources(t.Context(), func(ctx context.Context) (*eventlog.Log, func(), error) {
					block(ctx)
					return nil, nil, context.DeadlineExceeded
				}, eventlog.Query{})
				if took := time.Since(start); len(known) > 0 || took > 300*time.Millisecond {
					t.Errorf("%v after %s", known, took)
				}
				time.Sleep(time.Minute) // the attempt ends
			})
		})
	}
}

// Every kind is offered where one is expected, and a state for every kind.
func TestKnownStates(t *testing.T) {
	for _, kind := range append(lifecycle.Kinds(), "") {
		states := knownStates([]lifecycle.Kind{kind})
		if len(states) == 0 || !slices.IsSorted(states) || slices.Contains(states, "") {
			t.Errorf("states of %q: %q", kind, states)
		}
	}
}

// Each shell gets a script that calls the program.
func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		wantOutput(t, exitOK, []string{"__complete", "mkio-bridge"}, "completion", shell)
	}
}
