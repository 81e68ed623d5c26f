package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/openapitest"
)

// serveForTrigger serves a bridge, and sets the settings that other commands reach it by.
func serveForTrigger(t *testing.T) (b *bridge, url string) {
	t.Helper()
	b, addr, _ := serveForTest(t, nil)
	t.Setenv("BRIDGE_LISTEN", addr)
	t.Setenv("BRIDGE_NATS_LISTEN", b.embedded.Addr())
	t.Setenv("BRIDGE_WEBHOOK_SECRETS", demoSecret)
	return b, "http://" + addr
}

// suggested returns the words of the command that an output ends with, without the program.
func suggested(t *testing.T, output string) []string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(output), "\n")
	line, ok := strings.CutPrefix(lines[len(lines)-1], "  "+invocation()+" ")
	if !ok {
		t.Fatalf("no command at the end of: %s", output)
	}
	return strings.Fields(line)
}

// A user's first event: trigger sends it to the bridge of the settings, and its suggested command shows it.
func TestTriggerMakesAnEvent(t *testing.T) {
	serveForTrigger(t)
	out, errs, code := runCommand(t, "trigger", "job.finished")
	if code != exitOK || errs != "" || !strings.Contains(out, "204 No Content") {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	if shown, errs, code := runCommand(t, suggested(t, out)...); code != exitOK || strings.Count(shown, "\n") != 1 || !strings.Contains(shown, "job sample/sample/sample-") || !strings.Contains(shown, "Finished") {
		t.Errorf("exit code %d: %s%s", code, shown, errs)
	}
	again, _, _ := runCommand(t, "trigger", "job.finished")
	if slices.Equal(suggested(t, again), suggested(t, out)) {
		t.Error("the second sample is of the same job")
	}
}

// Every delivery that trigger knows becomes an event of its kind and state.
func TestTriggerOfEachState(t *testing.T) {
	b, url := serveForTrigger(t)
	events := triggeredEvents()
	if len(events) < 20 {
		t.Errorf("only %d are known: %v", len(events), events)
	}
	for _, event := range events {
		out, errs, code := runCommand(t, "trigger", event, "--url", url, "--project", "harbor live")
		if code != exitOK {
			t.Fatalf("%s: exit code %d: %s%s", event, code, out, errs)
		}
	}
	var recorded []string
	for e, err := range b.events.Events(t.Context(), eventlog.Query{Projects: []string{"harbor live"}}) {
		if err != nil {
			t.Fatal(err)
		}
		d := e.Event.Data
		recorded = append(recorded, strings.ToLower(string(d.Kind)+"."+d.State))
		if d.Via != lifecycle.Webhook || d.Transition != 1 {
			t.Errorf("%s: %+v", recorded[len(recorded)-1], d)
		}
	}
	if !slices.Equal(recorded, events) {
		t.Errorf("recorded %v, want %v", recorded, events)
	}
}

// Deliveries for one name are of one resource: a job that is started and then finished has two events.
func TestTriggerOfOneResource(t *testing.T) {
	b, _ := serveForTrigger(t)
	trigger := func(event string, code int, wants ...string) {
		t.Helper()
		wantOutput(t, code, wants, "trigger", "--name", "ladder-hd/ep-0419", "--project", "aurora-vod", event)
	}
	trigger("job.processing", exitOK, "job aurora-vod/ladder-hd/ep-0419 is Processing", "204")
	trigger("job.finished", exitOK, "--project aurora-vod --name ep-0419")
	trigger("JOB.Finished", exitOK, "204")
	trigger("job.processing", exitFailed, "202 Accepted", "became no event", "unapplied list --since 1m")
	var states []string
	for e, err := range b.events.Events(t.Context(), eventlog.Query{Name: "ep-0419"}) {
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, fmt.Sprintf("%d %s", e.Event.Data.Transition, e.Event.Data.State))
	}
	if want := []string{"1 Processing", "2 Finished"}; !slices.Equal(states, want) {
		t.Errorf("events %v, want %v", states, want)
	}
	wantOutput(t, exitOK, []string{"late"}, "unapplied", "list", "--since", "1m")
}

func TestTriggerRefusesUnknownEvents(t *testing.T) {
	for event, want := range map[string]string{
		"":                           "KIND.STATE is missing, e.g. job.finished",
		"jobs.finished":              "the nearest is job.finished",
		"job.finnished":              "the nearest is job.finished",
		"job":                        "the nearest is job.error",
		"job.queued":                 "no webhook when a job becomes Queued",
		"live-channel.starting":      "no webhook when a live-channel becomes Starting",
		"asset.ready":                "no webhooks for asset: the bridge finds its changes by polling",
		"streaming-endpoint.running": "no webhooks for streaming-endpoint",
		"channel-instance.running":   "use live-channel,",
	} {
		wantOutput(t, exitUsage, []string{want}, "trigger", event)
		_, errs, _ := runCommand(t, "trigger", event)
		for line := range strings.Lines(errs) {
			if len(line) > 200 {
				t.Errorf("%q: a line of %d bytes: %s", event, len(line), line)
			}
		}
	}
}

func TestTriggerRefusesImpossibleNames(t *testing.T) {
	for _, args := range [][]string{
		{"job.finished", "--name", "a/b/c"},
		{"job.finished", "--name", "a/"},
		{"job.finished", "--name", ".."},
		{"job.finished", "--project", "a/b"},
		{"scheduled-operation.accepted", "--name", "asset/a/o"},
	} {
		wantOutput(t, exitUsage, []string{"--name"}, append([]string{"trigger"}, args...)...)
	}
}

// A made-up delivery must not reach the log of another machine's bridge by accident.
func TestTriggerOfAnotherMachineNeedsYes(t *testing.T) {
	for _, url := range []string{"https://bridge.example.com", "http://192.0.2.1:8080", "http://127.0.0.1.example.com", "http://[2001:db8::1]:8080", "http://0.0.0.0:8080"} {
		wantOutput(t, exitUsage, []string{"not an address of this machine", "--yes"}, "trigger", "job.finished", "--url", url)
		if target, err := (triggerOptions{url: url, yes: true}).target(config{}); err != nil || target != url+webhookPath {
			t.Errorf("with --yes: %s, %v", target, err)
		}
	}
	for _, url := range []string{"http://127.0.0.1:8080", "http://127.8.8.8", "http://localhost:8080/webhooks/mkio", "https://[::1]:8443"} {
		if _, err := (triggerOptions{url: url}).target(config{}); err != nil {
			t.Error(err)
		}
	}
	for listen, want := range map[string]string{"127.0.0.1:8080": "http://127.0.0.1:8080/webhooks/mkio", ":8181": "http://localhost:8181/webhooks/mkio"} {
		if target, err := (triggerOptions{}).target(config{Listen: listen}); err != nil || target != want {
			t.Errorf("%s: %s, %v", listen, target, err)
		}
	}
	wantOutput(t, exitUsage, []string{"--url"}, "trigger", "job.finished", "--url", "127.0.0.1:8080")
}

func TestTriggerExplainsTheResponse(t *testing.T) {
	b, url := serveForTrigger(t)
	wantOutput(t, exitFailed, []string{"401 Unauthorized", "--secret"}, "trigger", "job.finished", "--secret", "REDACT-ME")
	wantOutput(t, exitOK, []string{"204"}, "trigger", "job.finished", "--secret", demoSecret, "--url", url)
	admin := httptest.NewServer(openapitest.Check(b.adminRoutes(true)))
	defer admin.Close()
	wantOutput(t, exitFailed, []string{"404 Not Found", "not of its admin listener"}, "trigger", "job.finished", "--url", admin.URL)
	wantOutput(t, exitFailed, []string{"cannot be reached", "--url"}, "trigger", "job.finished", "--url", "http://127.0.0.1:1")
	for status, want := range map[int]string{
		http.StatusServiceUnavailable:  "Retry after 7 s",
		http.StatusTooManyRequests:     "Retry after 7 s",
		http.StatusBadRequest:          "unapplied list --reason malformed",
		http.StatusTemporaryRedirect:   "not the response of a bridge",
		http.StatusInternalServerError: "not the response of a bridge",
	} {
		requests := 0
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			requests++
			w.Header().Set("Retry-After", "7")
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		}))
		wantOutput(t, exitFailed, []string{fmt.Sprint(status), want}, "trigger", "job.finished", "--url", other.URL)
		other.Close()
		if requests != 1 {
			t.Errorf("%d: %d requests", status, requests)
		}
	}
}
