package poll

import (
	"context"
	"log/slog"
	"net/http"

	"mkio-bridge/internal/mkio"
)

// A projectSelection selects the projects to poll: the configured ones, or the active ones that MK.IO lists. All state is owned
// by the goroutine of [Poller.Run].
type projectSelection struct {
	*Poller
	started map[string]context.CancelFunc // the projects that are polled
	logged  map[droppedProject]bool       // the dropped and the hidden projects that were logged, until they are listed again
}

// A droppedProject identifies a project by its name or, without a name, by its id.
type droppedProject struct{ name, id string }

func newProjectSelection(p *Poller, started map[string]context.CancelFunc) *projectSelection {
	return &projectSelection{Poller: p, started: started, logged: map[droppedProject]bool{}}
}

// list returns the names of the projects to poll; with an error, those that were listed before it.
func (s *projectSelection) list(ctx context.Context) ([]string, error) {
	if len(s.Projects) > 0 {
		return s.Projects, nil
	}
	all, err := s.Client.Projects(ctx)
	s.checkIdentities(ctx, all)
	for _, listed := range all {
		switch {
		case listed.Name == "":
			s.logSkipped(slog.LevelWarn, droppedProject{id: listed.ID}, ErrProjectNameless)
		case !listed.Active && s.started[listed.Name] == nil: // otherwise drop logs it
			s.logSkipped(slog.LevelInfo, droppedProject{name: listed.Name}, ErrProjectInactive)
		case listed.Active:
			delete(s.logged, droppedProject{name: listed.Name})
		}
	}
	return mkio.ActiveProjects(all), err
}

// checkIdentities compares the projects that are polled here with MK.IO's list of them. A stored copy is not compared.
func (s *projectSelection) checkIdentities(ctx context.Context, listed []mkio.Project) {
	organisation := s.Client.Organisation()
	for _, l := range listed {
		if project := s.project(l.Name); project != nil && l.ID != "" && !l.AsOf.Stored {
			_ = project.identity.compare(ctx, organisation, l.ID) // the project's own parts act on the result
		}
	}
}

// drop reports whether the polling of a project that MK.IO's list lacks must stop. A hidden project responds by its name, and is
// polled on.
func (s *projectSelection) drop(ctx context.Context, name string) bool {
	dropped := droppedProject{name: name}
	project, err := s.Client.Project(ctx, mkio.Changes, name)
	switch status := mkio.StatusOf(err); {
	case mkio.IsNotFound(err), status == http.StatusForbidden:
		s.logDropped(dropped, err)
		return true
	case err != nil:
		return false // the next list decides
	case !project.Active:
		s.logDropped(dropped, ErrProjectInactive)
		return true
	}
	if s.firstTime(dropped) {
		s.Logger.Info("project is still polled", "project", name, "error", ErrProjectHidden, "do", s.advice(ErrProjectHidden))
	}
	return false
}

func (s *projectSelection) logDropped(dropped droppedProject, why error) {
	if s.firstTime(dropped) {
		s.Logger.Warn("project is no longer polled", "project", dropped.name, "error", why, "do", s.advice(why))
	}
}

func (s *projectSelection) logSkipped(level slog.Level, dropped droppedProject, why error) {
	if s.firstTime(dropped) {
		s.Logger.Log(context.Background(), level, "project is not polled", "project", dropped.name, "project_id", dropped.id, "error", why, "do", s.advice(why))
	}
}

// firstTime reports whether a dropped project has not been logged yet.
func (s *projectSelection) firstTime(dropped droppedProject) bool {
	first := !s.logged[dropped]
	s.logged[dropped] = true
	return first
}
