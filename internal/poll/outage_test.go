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

// warnings are the lines of the log at warn and above.
func (w *world) warnings() (lines []string) {
	for line := range strings.Lines(w.logs.String()) {
		if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// A project whose name is wrong is one warning, not one for each list. It is polled as soon as it is there.
func TestAProjectThatMKIODoesNotKnowIsOneWarning(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.transport.set(failAt("/projects/"+project, 404))
		b := w.start()
		time.Sleep(10 * sweep)
		warnings := w.warnings()
		if len(warnings) != 1 || !strings.Contains(warnings[0], "advice on a 404") {
			t.Errorf("%d warnings: %s", len(warnings), strings.Join(warnings, "\n"))
		}
		w.transport.set(func(w *transport) { w.override = nil })
		job := w.key(lifecycle.Job, "t", "ep")
		w.mkio.Create(job, "Queued")
		w.awaitState(b, full, job, "Queued")
	})
}

// A list that is not found in a project that is there is a warning of its own.
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

// nowhere is a way that ends at once.
type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("connection refused")
}

// A MK.IO that is not reached is said, and not for each list; the next outage is said again.
func TestAMKIOThatIsNotReachedIsNotAWarningForEachList(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		reach := func(there bool) {
			w.transport.set(func(way *transport) {
				way.next = unreachable{}
				if there {
					way.next = w.mkio
				}
			})
		}
		b := w.start()
		time.Sleep(2 * sweep)
		for range 2 {
			reach(false)
			before := len(w.warnings())
			time.Sleep(10 * sweep)
			warnings := w.warnings()[before:]
			const most = 3 // of the client, of the list of projects, and of the project
			if len(warnings) == 0 || len(warnings) > most || !strings.Contains(warnings[0], "connection refused") ||
				strings.Count(strings.Join(warnings, "\n"), "list=") > 1 {
				t.Errorf("%d warnings: %s", len(warnings), strings.Join(warnings, "\n"))
			}
			reach(true)
			time.Sleep(full)
		}
		job := w.key(lifecycle.Job, "t", "ep")
		w.mkio.Create(job, "Queued")
		w.awaitState(b, 2*sweep, job, "Queued")
	})
}
