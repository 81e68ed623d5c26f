//go:build e2e

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

var studio = mkioKey(lifecycle.LiveEvent, "studio-1")

// beginLiveDay starts examples/live-event-day.sh and then, if it succeeds, a command that stands for the encoder: it prints a
// line, at which the event must be in the state that was asked for. end waits for both, and returns exit code and alert.
func (w *workflow) beginLiveDay(action string, env ...string) (end func() (code int, alert string)) {
	w.t.Helper()
	dir := w.t.TempDir()
	alertFile := filepath.Join(dir, "alert")
	alertScript := filepath.Join(dir, "alert.sh")
	if err := os.WriteFile(alertScript, []byte("#!/bin/sh\necho \"$1\" >"+alertFile+"\n"), 0o700); err != nil {
		w.t.Fatal(err)
	}
	goal := map[string]string{"start": "Running", "stop": "Stopped"}[action]
	judge := func(line string) {
		if state := w.Current()[studio].State; state != goal {
			w.t.Errorf("%s while the event is %s", line, state)
		}
	}
	p := w.shell("live-event-day", judge, append([]string{"ALERT=" + alertScript, "PAUSE=1"}, env...),
		`"$0" "$@" && echo next step`, bridgetest.RepositoryPath("examples/live-event-day.sh"), action, "aurora-vod", "studio-1")
	p.run()
	return func() (int, string) {
		code := p.ExitCode()
		if (code == exitOK) != p.await("next step") {
			w.t.Errorf("%s: exit %d, but the next step was taken: %v", action, code, code != exitOK)
		}
		content, _ := os.ReadFile(alertFile) // missing without an alert
		return code, strings.TrimSpace(string(content))
	}
}

// The event is not ingested into before it is Running, with webhooks that are lost, late and repeated and with the bridge killed
// in between; and what takes too long or fails is an alert.
func TestLiveEventDay(t *testing.T) {
	t.Parallel()
	w := startWorkflow(t, func(m *mkiofake.MKIO) { m.Create(studio, "Stopped") })
	faults := mkiofake.Faults{Dropped: 0.3, Late: 0.3, LateBy: time.Second, Repeat: 0.5, RepeatBy: time.Second}
	w.SetFaults(faults)
	expect := func(what string, code int, alert string, end func() (int, string)) {
		t.Helper()
		if gotCode, gotAlert := end(); gotCode != code || !strings.Contains(gotAlert, alert) || (alert == "") != (gotAlert == "") {
			t.Errorf("%s: exit %d, alert %q; want exit %d, alert %q", what, gotCode, gotAlert, code, alert)
		}
	}
	day := func(what, action string, code int, alert string, env ...string) {
		t.Helper()
		expect(what, code, alert, w.beginLiveDay(action, env...))
	}
	for range 2 { // the second day begins with a recorded Running of the first
		day("morning", "start", exitOK, "")
		day("again", "start", exitOK, "")
		day("night", "stop", exitOK, "")
	}

	output := mkioKey(lifecycle.LiveOutput, "studio-1", "rec")
	day("morning", "start", exitOK, "")
	w.Create(output, "Running")
	day("a stop with live outputs", "stop", exitUsage, "The live event has live outputs.")
	w.Delete(output)
	w.Move(studio, "Stopping") // not by a request: nothing ends it
	day("a night that does not end", "stop", exitTimedOut, "live event aurora-vod/studio-1: is still Stopping after 1s", "STOP_TIMEOUT=1s")
	w.Move(studio, "Stopped")
	w.Move(studio, "Starting")
	day("a morning that does not end", "start", exitTimedOut, "is still Starting after 1s", "START_TIMEOUT=1s")
	w.Move(studio, "Running")
	day("the next morning", "start", exitOK, "")

	w.setBlind(true)
	w.SetFaults(mkiofake.Faults{Dropped: 1})
	w.Move(studio, "Stopping")
	w.Move(studio, "Stopped")
	day("a morning of which the bridge has yesterday's Running only", "start", exitOK, "", "START_TIMEOUT=2s")
	w.setBlind(false)
	w.SetFaults(faults)

	w.Move(studio, "Starting")
	var end func() (int, string)
	w.runUntilRead("liveEvents/studio-1", func() { end = w.beginLiveDay("start") })
	w.Move(studio, "Error")
	expect("an event that fails", exitFailed, "live event aurora-vod/studio-1: has failed", end)
	w.Move(studio, "Stopping")
	w.runUntilRead("liveEvents/studio-1", func() { end = w.beginLiveDay("stop", "STOP_TIMEOUT=1s") })
	w.Delete(studio)
	expect("an event that is deleted", exitFailed, "does not exist in MK.IO", end)
	w.Create(studio, "Stopped")
	day("the morning of a new event", "start", exitOK, "")

	writes := len(w.Writes())
	end = w.beginLiveDay("stop")
	w.await("the stop was requested", func() bool { return len(w.Writes()) > writes })
	w.bridge.Kill()
	w.bridge.Restart()
	expect("a night with a bridge that is killed", exitOK, "", end)
	day("another morning", "start", exitOK, "")
	w.bridge.Kill()
	day("a night without a bridge", "stop", exitUnreachable, "the bridge cannot tell its state")
	for _, write := range w.Writes() {
		if write.Status/100 != 2 && write.Status != http.StatusBadRequest {
			t.Errorf("%+v", write)
		}
	}
}
