package poll_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// warnings returns the log lines at WARN and above.
func (w *world) warnings() (lines []string) {
	for line := range strings.Lines(w.logs.String()) {
		if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// A project with a wrong name causes one warning, not one for each list. It is polled as soon as it exists.
func TestAnUnknownProjectIsOneWarning(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.transport.set(failAt("/projects/"+project, 404))
		b := w.start()
		time.Sleep(10 * sweep)
		warnings := w.warnings()
		if len(warnings) != 1 || !strings.Contains(warnings[0], "advice on a 404") {
			t.Errorf("%d warnings: %s", len(warnings), strings.Join(warnings, "\n"))
		}
		w.transport.set(func(tr *transport) { tr.override = nil })
		job := w.key(lifecycle.Job, "t", "ep")
		w.mkio.Create(job, "Queued")
		w.awaitState(b, full, job, "Queued")
	})
}

// A list that responds 404 in a project that exists is a warning of its own.
func TestAListThatIsNotFoundIsAWarning(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.transport.set(failAt("/media/assets", 404))
		w.start(lifecycle.Asset, lifecycle.Job)
		time.Sleep(2 * sweep)
		if warnings := w.warnings(); len(warnings) != 1 || !strings.Contains(warnings[0], "assets") {
			t.Errorf("%d warnings: %s", len(warnings), strings.Join(warnings, "\n"))
		}
	})
}

// unreachable is an MK.IO that cannot be reached.
type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("connection refused")
}

// An MK.IO that cannot be reached is a warning, but not one for each list. The next outage is logged again.
func TestAnUnreachableMKIOIsNotAWarningForEachList(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		setReachable := func(reachable bool) {
			w.transport.set(func(tr *transport) {
				tr.next = unreachable{}
				if reachable {
					tr.next = w.mkio
				}
			})
		}
		b := w.start()
		time.Sleep(2 * sweep)
		for range 2 {
			setReachable(false)
			before := len(w.warnings())
			time.Sleep(10 * sweep)
			warnings := w.warnings()[before:]
			const most = 3 // by the client, for the list of projects, and for the project
			if len(warnings) == 0 || len(warnings) > most || !strings.Contains(warnings[0], "connection refused") ||
				strings.Count(strings.Join(warnings, "\n"), "list=") > 1 {
				t.Errorf("%d warnings: %s", len(warnings), strings.Join(warnings, "\n"))
			}
			setReachable(true)
			time.Sleep(full)
		}
		job := w.key(lifecycle.Job, "t", "ep")
		w.mkio.Create(job, "Queued")
		w.awaitState(b, 2*sweep, job, "Queued")
	})
}
