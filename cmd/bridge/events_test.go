package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/eventlog"
)

// bridgeWithEvents returns a bridge, and a function that runs a command on its log. Its events are a job that is Processing
// (1) and Finished (2), a locator that is Created (3) and an operation that is Accepted (4).
func bridgeWithEvents(t *testing.T) (b *bridge, call func(args ...string) (stdout, stderr string, code int)) {
	t.Helper()
	b = openForTest(t)
	for _, name := range []string{"job-finished.finished.json", "streaming-locator-created.json", "scheduled-operation-accepted.json"} {
		if status := deliver(t, b, bridgetest.Delivery(t, name)); status != 204 {
			t.Fatalf("%s: status %d", name, status)
		}
	}
	if err := b.publisher.Load(t.Context()); err != nil { // waits for the server to fill the state bucket
		t.Fatal(err)
	}
	t.Setenv("BRIDGE_NATS_LISTEN", b.embedded.Addr())
	return b, func(args ...string) (string, string, int) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // ends a command that would wait forever
		defer cancel()
		var stdout, stderr bytes.Buffer
		code := run(ctx, args, &stdout, &stderr)
		return stdout.String(), stderr.String(), code
	}
}

// firstColumn returns the first column of text output.
func firstColumn(lines string) string {
	var found []string
	for line := range strings.Lines(lines) {
		found = append(found, strings.Fields(line)[0])
	}
	return strings.Join(found, " ")
}

func TestEventsFromASequenceOutsideTheLog(t *testing.T) {
	b, call := bridgeWithEvents(t)
	want := func(args, events, says string, code int) {
		t.Helper()
		stdout, stderr, is := call(strings.Fields(args)...)
		if is != code || says == "" && firstColumn(stdout) != events || !strings.Contains(stderr, says) {
			t.Errorf("%s: exit %d, want %d: %s%s", args, is, code, stdout, stderr)
		}
	}
	want("events --seq 2", "2 3 4", "", exitOK)
	want("events --seq 5", "", "", exitOK)
	want("events --seq 6", "", "sequence 6 is past the end of MKIO_EVENTS, which holds 1 to 4", exitFailed)
	want("events --seq 5000 --follow", "", "past the end of MKIO_EVENTS", exitFailed)
	want("events --seq 18446744073709551615 --output json", "", "past the end of MKIO_EVENTS", exitFailed)
	want("replay replay --live --seq 6", "", "past the end of MKIO_EVENTS", exitFailed)
	brokertest.TrimToLast(t, b.js, b.names.EventStream(), 2)
	want("events --seq 1", "", "sequence 1 is before the beginning of MKIO_EVENTS, which holds 3 to 4", exitFailed)
	want("events --seq 3", "3 4", "", exitOK)
	want("events", "3 4", "", exitOK)
	want("replay replay --live --seq 2", "", "before the beginning of MKIO_EVENTS", exitFailed)
}

func TestPhaseFilter(t *testing.T) {
	_, call := bridgeWithEvents(t)
	for args, events := range map[string]string{
		"events --phase succeeded":                        "2",
		"events --phase transitional":                     "1 4",
		"events --phase transitional --kind job":          "1",
		"events --phase gone":                             "",
		"events --phase transitional --follow --until 0s": "1 4",
	} {
		if stdout, stderr, code := call(strings.Fields(args)...); code != exitOK || firstColumn(stdout) != events {
			t.Errorf("%s: exit %d: %s%s", args, code, stdout, stderr)
		}
	}
	if stdout, _, code := call("state", "--no-headers", "--phase", "succeeded"); code != exitOK || !strings.Contains(stdout, "ep-0417") || strings.Count(stdout, "\n") != 1 {
		t.Errorf("state: exit %d: %s", code, stdout)
	}
	for _, command := range []string{"state", "events", "replay"} {
		if _, stderr, code := call(command, "--phase", "done"); code != exitUsage || !strings.Contains(stderr, "phases are initial, ") {
			t.Errorf("%s: exit %d: %s", command, code, stderr)
		}
	}
}

func TestEventPeriods(t *testing.T) {
	b, call := bridgeWithEvents(t)
	var third time.Time
	for r, err := range b.events.Raw(t.Context(), eventlog.Query{From: 3, To: 3}) {
		if err != nil {
			t.Fatal(err)
		}
		third = r.Stored
	}
	at := third.UTC().Format(time.RFC3339Nano)
	finished := eventTime(t, b, 2)
	for _, tt := range []struct{ args, events string }{
		{"--until " + at, "1 2"},
		{"--since " + at, "3 4"},
		{"--since 1d", "1 2 3 4"},
		{"--since 2000-01-01 --until 2001-01-01", ""},
		{"--by recorded --until " + at, "1 2"},
		{"--by time --since " + finished.Format(time.RFC3339Nano) + " --until " + finished.Add(time.Nanosecond).Format(time.RFC3339Nano), "2"},
		{"--by time --kind job --until " + finished.Format(time.RFC3339Nano), "1"},
	} {
		if stdout, stderr, code := call(append([]string{"events"}, strings.Fields(tt.args)...)...); code != exitOK || firstColumn(stdout) != tt.events {
			t.Errorf("%s: exit %d, want %q: %s%s", tt.args, code, tt.events, stdout, stderr)
		}
	}
	if _, stderr, code := call("events", "--by", "stored"); code != exitUsage || !strings.Contains(stderr, "must be recorded or time") {
		t.Errorf("--by stored: exit %d: %s", code, stderr)
	}
}

// eventTime returns an event's own time.
func eventTime(t *testing.T, b *bridge, sequence uint64) time.Time {
	t.Helper()
	for e, err := range b.events.Events(t.Context(), eventlog.Query{From: sequence, To: sequence}) {
		if err != nil {
			t.Fatal(err)
		}
		return e.Event.Time()
	}
	t.Fatalf("the log has no event %d", sequence)
	return time.Time{}
}
