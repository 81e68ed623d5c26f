package poll_test

import (
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// logged returns the log lines that contain all of the texts.
func (w *world) logged(texts ...string) (lines []string) {
	for line := range strings.Lines(w.logs.String()) {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}
		if all {
			lines = append(lines, line)
		}
	}
	return lines
}

// A project without metadata is polled. A project without a name, or an inactive one, is not, and is logged once.
func TestAProjectThatIsNotPolledIsLoggedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		shape  mkiofake.ProjectShape
		polled bool
		text   string
	}{
		"no metadata": {shape: mkiofake.ProjectShape{NoMetadata: true}, polled: true},
		"no name":     {shape: mkiofake.ProjectShape{NoName: true}, text: "lists the project without a name"},
		"inactive":    {shape: mkiofake.ProjectShape{Inactive: true}, text: "project is not active"},
		"hidden":      {shape: mkiofake.ProjectShape{Hidden: true}, polled: true},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, mkiofake.Config{}, func(w *world) {
				w.mkio.SetProjectShape(project, c.shape)
				job := w.key(lifecycle.Job, "t", "ep")
				w.mkio.Create(job, "Finished")
				w.start(lifecycle.Job)
				time.Sleep(10 * sweep)
				if got := len(w.events()[job]); got > 0 != c.polled {
					t.Errorf("%d events, want polled: %t", got, c.polled)
				}
				if lines := w.logged("project is not polled"); c.polled && len(lines) > 0 || !c.polled && (len(lines) != 1 || !strings.Contains(lines[0], c.text)) {
					t.Errorf("logged: %s", strings.Join(lines, ""))
				}
			})
		})
	}
}

// A project that is hidden while it is polled is polled on, because it responds by its name, also where MK.IO does not list
// hidden projects. One that is deactivated is not.
func TestAProjectThatIsHiddenLaterIsPolledOn(t *testing.T) {
	inWorld(t, mkiofake.Config{RefuseShowHidden: true}, func(w *world) {
		w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		w.mkio.SetProjectShape(project, mkiofake.ProjectShape{Hidden: true})
		time.Sleep(2 * sweep)
		job := w.key(lifecycle.Job, "t", "ep")
		w.mkio.Create(job, "Processing")
		time.Sleep(5 * sweep)
		w.wantStates(job, "Processing")
		if lines := w.logged("project is still polled", "probably hidden"); len(lines) != 1 {
			t.Errorf("logged: %s", strings.Join(lines, ""))
		}
		w.mkio.SetProjectShape(project, mkiofake.ProjectShape{})
		time.Sleep(2 * sweep)
		w.mkio.SetProjectShape(project, mkiofake.ProjectShape{Inactive: true})
		time.Sleep(2 * sweep)
		w.mkio.Move(job, "Finished")
		time.Sleep(full)
		w.wantStates(job, "Processing")
		if lines := w.logged("project is no longer polled", "level=WARN", "not active"); len(lines) != 1 || len(w.logged("project is not polled")) > 0 {
			t.Errorf("logged: %s", strings.Join(lines, ""))
		}
	})
}
