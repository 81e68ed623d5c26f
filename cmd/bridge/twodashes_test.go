package main

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// oneDash matches a long flag with a single dash.
var oneDash = regexp.MustCompile(`(^|\s)-[a-z]{2,}`)

// mustFind returns a command of the tree.
func mustFind(t *testing.T, root *cobra.Command, path ...string) *cobra.Command {
	t.Helper()
	cmd, rest, err := root.Find(path)
	if err != nil || len(rest) > 0 {
		t.Fatalf("no command %v: %v", path, err)
	}
	return cmd
}

// Long flags with one dash are accepted as before, wherever they stand. Values and arguments stay as they are.
func TestLongFlagsWithOneDash(t *testing.T) {
	for given, want := range map[string]string{
		"events -output json":                       "events --output json",
		"events -kind=job":                          "events --kind=job",
		"events -follow=false -kind job":            "events --follow=false --kind job",
		"events -follow -kind job":                  "events --follow --kind job",
		"events --output json -kind job":            "events --output json --kind job",
		"events -o json -kind job":                  "events -o json --kind job",
		"events -ojson -kind job":                   "events -ojson --kind job",
		"events -o -kind":                           "events -o -kind",
		"events -h":                                 "events -h",
		"events -help":                              "events --help",
		"-help":                                     "--help",
		"-version":                                  "--version",
		"events -name -kind -kind job":              "events --name -kind --kind job",
		"events --name -kind -kind job":             "events --name -kind --kind job",
		"events --name=-kind":                       "events --name=-kind",
		"events -knid job":                          "events --knid job",
		"events -5":                                 "events -5",
		"events -":                                  "events -",
		"mkio-fake -set-clock -5m -jobs 3":          "mkio-fake --set-clock -5m --jobs 3",
		"mkio-fake -set-clock=-5m":                  "mkio-fake --set-clock=-5m",
		"wait -for Finished job p t j":              "wait --for Finished job p t j",
		"wait job p t j -for Finished":              "wait job p t j --for Finished",
		"wait job p t --for x -- -for":              "wait job p t --for x -- -for",
		"wait job p -since -1 t j":                  "wait job p --since -1 t j",
		"webhook history -status Failed":            "webhook history --status Failed",
		"webhook show -force":                       "webhook show --force",
		"dance -slowly":                             "dance --slowly",
		"__complete events -kind job -project ":     "__complete events --kind job --project ",
		"__completeNoDesc wait -for-phase r":        "__completeNoDesc wait --for-phase r",
		"completion bash -no-descriptions":          "completion bash --no-descriptions",
		"replay -rate 5 -live events":               "replay --rate 5 --live events",
		"unapplied retry -dry-run 1 2 -keep 3":      "unapplied retry --dry-run 1 2 --keep 3",
		"verify -root 1:a -erased 1-2 -output yaml": "verify --root 1:a --erased 1-2 --output yaml",
	} {
		rewritten := twoDashes(newRoot(&call{}), strings.Split(given, " "))
		if got := strings.Join(rewritten, " "); got != want {
			t.Errorf("%s is rewritten to %s, want %s", given, got, want)
		}
	}
	if args := twoDashes(newRoot(&call{}), nil); args == nil || len(args) > 0 { // for nil, cobra takes the arguments of the process
		t.Errorf("no arguments are rewritten to %#v", args)
	}
}

// Whole commands accept both forms, and flags before and after arguments.
func TestOneAndTwoDashesAreTheSame(t *testing.T) {
	_, call := bridgeWithEvents(t)
	want, _, _ := call("events", "--kind", "job", "--output", "json", "--limit", "1")
	if strings.Count(want, "\n") != 1 {
		t.Fatalf("the log has %q", want)
	}
	for _, args := range []string{
		"events -kind job -output json -limit 1", "events -kind=job -output=json -limit=1", "events -kind job -o json -limit 1", "events --limit 1 -ojson --kind=job",
	} {
		if got, errs, code := call(strings.Fields(args)...); code != exitOK || got != want {
			t.Errorf("%s: exit %d: %s%s", args, code, got, errs)
		}
	}
	for _, args := range []string{"-for-phase succeeded job aurora-vod ladder-hd ep-0417", "job aurora-vod -for-phase succeeded ladder-hd ep-0417", "job aurora-vod ladder-hd ep-0417 --for-phase=succeeded"} {
		if got, errs, code := call(append([]string{"wait", "-output", "name"}, strings.Fields(args)...)...); code != exitOK || got != "job/aurora-vod/ladder-hd/ep-0417\n" {
			t.Errorf("wait %s: exit %d: %s%s", args, code, got, errs)
		}
	}
}

// Every command has an example with two dashes, and its help names the program as it is installed.
func TestHelpOfEachCommand(t *testing.T) {
	root := newRoot(&call{})
	for _, cmd := range slices.Concat(root.Commands(), mustFind(t, root, "webhook").Commands(), mustFind(t, root, "unapplied").Commands()) {
		if !cmd.IsAvailableCommand() {
			continue
		}
		var out, errs bytes.Buffer
		path := strings.Fields(cmd.CommandPath())[1:]
		if code := run(t.Context(), append(path, "-h"), &out, &errs); code != exitOK || errs.Len() > 0 {
			t.Errorf("%v -h: exit %d: %s", path, code, errs.String())
		}
		help := out.String()
		if !strings.Contains(help, "\n  "+cmd.CommandPath()) {
			t.Errorf("%v: the usage is %s", path, help)
		}
		if !cmd.HasSubCommands() && (!strings.Contains(help, "Examples:\n") || oneDash.MatchString(cmd.Example)) {
			t.Errorf("%v: the example is %q", path, cmd.Example)
		}
	}
}
