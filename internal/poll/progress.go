package poll

import (
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// A ProgressStore stores how far running jobs are, for people who watch them. Its methods neither wait nor fail: a value that
// cannot be stored is replaced by a later one, and polling does not notice.
type ProgressStore interface {
	// Put notes how far a job is. The source of the progress is a path below MK.IO's address. Delete notes that a job has ended.
	Put(resource string, p event.Progress)
	Delete(resource string)
}

// reportProgress passes on how far a job is whose row shows what is recorded: that it runs. It is read from rows that were
// requested anyway.
func (r *reporter) reportProgress(row mkio.Row, h head, o lifecycle.Observation, req request) {
	if r.progress == nil || !lifecycle.HasProgress(row.Key.Kind, o.State) || o.Stored || h.fact == nil || !h.fact.Matches(o) {
		return
	}
	percent, output, ok := row.Progress()
	if !ok {
		return
	}
	p := event.Progress{Key: row.Key, Life: row.Life, Percent: percent, Output: output, Time: req.asOf.To}
	p.Source, p.Subject, _ = mkio.Path(row.Key)
	r.progress.Put(h.resource, p)
}

// endProgress has the progress of a job deleted with the event that says that it runs no longer.
func (p *project) endProgress(key lifecycle.Key, fact lifecycle.Fact) {
	if p.progress != nil && key.Kind == lifecycle.Job && !lifecycle.HasProgress(key.Kind, fact.State) {
		p.progress.Delete(p.heads.Token(key))
	}
}

// EndedHere reports whether a job is recorded as running no longer, and its project is polled here: whether its progress is this
// bridge's to delete.
func (p *Poller) EndedHere(resource string, key lifecycle.Key) bool {
	last := p.Heads.Last(resource)
	return p.project(key.Project) != nil && last != nil && !lifecycle.HasProgress(key.Kind, last.State)
}
