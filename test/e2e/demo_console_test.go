//go:build e2e

package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
)

// The demo prints the console's address first. Within seconds each screen of the console has something to show. An interrupt ends
// it, and its store is gone.
func TestDemoConsole(t *testing.T) {
	t.Parallel()
	demo, err := bridgetest.NewProcess(t.TempDir(), "demo", bridgetest.Program(t, bridgetest.BridgePackage), "demo", "--console")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(demo.Close)
	temporary := t.TempDir()
	demo.SetEnv("TMPDIR=" + temporary)
	if err := demo.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var console string
	if err := demo.AwaitLine(t.Context(), func(line string) bool { console = line; return true }); err != nil {
		t.Fatal(err)
	}
	base, ok := strings.CutSuffix(console, "/console/")
	if !ok {
		t.Fatalf("the first line is %q", console)
	}
	if page := getText(t, console); !strings.Contains(page, "<title>mkio-bridge</title>") {
		t.Errorf("%s is %q", console, page)
	}
	for what, shows := range map[string]func() bool{
		"something stuck": func() bool {
			return strings.Contains(getText(t, base+"/v1/resources?stuck=true&view=row"), "harbour-cam")
		},
		"a failed job": func() bool {
			return strings.Contains(getText(t, base+"/v1/events?follow=false&state=error"), `"errors":[`)
		},
		"a late delivery":     func() bool { return unappliedWith(t, base, "late") },
		"an unknown delivery": func() bool { return unappliedWith(t, base, "unrecognised") },
		"a gap":               func() bool { return strings.Contains(getText(t, base+"/v1/status"), "Missing capability") },
		"a state from a poll": func() bool { return firstSeenByPoll(t, base) },
		"a second life": func() bool {
			return strings.Contains(getText(t, base+"/v1/events?follow=false&state=deleted"), "weather-01")
		},
		"a failed operation": func() bool {
			return strings.Contains(getText(t, base+"/v1/resources?kind=scheduled-operation&phase=failed&view=row"), "evening-switch")
		},
		"a failed provisioning": func() bool {
			return strings.Contains(getText(t, base+"/v1/resources?kind=live-event&phase=failed&view=row"), "drone-01")
		},
	} {
		bridgetest.Eventually(t, what, shows)
	}
	if err := demo.Stop(os.Interrupt, time.Minute); err != nil {
		t.Error(err)
	}
	if err := demo.Wait(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("the demo left %v, %v", left, err)
	}
}

func unappliedWith(t *testing.T, base, reason string) bool {
	t.Helper()
	return strings.Contains(getText(t, base+"/v1/unapplied"), `"reason":"`+reason+`"`)
}

// firstSeenByPoll reports whether the event of a lost delivery is from a poll.
func firstSeenByPoll(t *testing.T, base string) bool {
	t.Helper()
	var page struct {
		Items []struct{ Name, Via, State string }
	}
	if err := json.Unmarshal([]byte(getText(t, base+"/v1/resources?kind=job&name=documentary-01&view=row")), &page); err != nil {
		t.Fatal(err)
	}
	return len(page.Items) == 1 && page.Items[0].State == "Processing" && page.Items[0].Via == "poll"
}

func getText(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v: %s", url, response.Status, err, text)
	}
	return string(text)
}
