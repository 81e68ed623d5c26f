package poll

import (
	"context"
	"errors"
	"time"

	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/mkio"
)

// loadIdentity reads which MK.IO the log is of, before MK.IO is asked anything, and has tokens of another organisation refused
// from then on: one that is exchanged is compared before the first request with it.
func (p *Poller) loadIdentity(ctx context.Context) {
	for ctx.Err() == nil {
		_, err := p.readIdentity(ctx)
		if err == nil {
			return
		}
		p.Logger.Warn("the identity of the log's MK.IO cannot be read; polling waits for it", "error", err)
		if pause(ctx, p.Sweep) != nil {
			return
		}
	}
}

// readIdentity reads the note anew: another bridge may have adopted another MK.IO meanwhile.
func (p *Poller) readIdentity(ctx context.Context) (identity.Note, error) {
	note, err := p.identities.Read(ctx)
	if err != nil {
		return note, logError{err}
	}
	p.recorded.Store(&note)
	return note, nil
}

// admit refuses a token of another organisation than the log's.
func (p *Poller) admit(token string) error {
	if note := p.recorded.Load(); note != nil {
		return note.CheckOrganisation(mkio.TokenOrganisation(token))
	}
	return nil
}

// compareListed compares the projects that are polled here with those that MK.IO listed. A stored copy tells nothing of now.
func (p *Poller) compareListed(ctx context.Context, listed []mkio.Project) {
	organisation := p.Client.Organisation()
	for _, l := range listed {
		if project := p.project(l.Name); project != nil && l.ID != "" && !l.Moment.Stored {
			_ = project.identify(ctx, organisation, l.ID) // its own errands go by what it concluded
		}
	}
}

// adopts says whether what answers for a project is the log's own because the operator says so. That counts once for each
// project: what answers later is compared with what was adopted.
func (p *Poller) adopts(project string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.Adopt && !p.adopted[project]
}

func (p *Poller) adoptedNow(project string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.adopted[project] = true
}

// remember keeps what answered as the log's own: the note of it may fail, or be lost while this bridge runs.
func (p *Poller) remember(found identity.Found) {
	found.Empty = false
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known[found.Project] = found
}

// recall returns what answered. What this bridge knows to be the log's own counts as it did when the log had nothing of the
// project.
func (p *Poller) recall(found identity.Found) identity.Found {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.known[found.Project]; ok && known == found {
		found.Empty = true
	}
	return found
}

// ofIdentity says whether an error is that another MK.IO answers, or may.
func ofIdentity(err error) bool { return isMismatch(err) || isUnknown(err) }

func isMismatch(err error) bool {
	_, ok := errors.AsType[*identity.MismatchError](err)
	return ok
}

func isUnknown(err error) bool {
	_, ok := errors.AsType[*identity.UnknownError](err)
	return ok
}

// projectTries is how often a project that does not answer is asked for before its lists are.
const projectTries = 3

// awaitIdentity waits until the project may be polled: it answers, and is not another one than the log's. One that goes on not to
// answer is polled all the same, for its lists may: nothing of it is Deleted before it answers.
func (p *project) awaitIdentity(ctx context.Context) {
	for failures := 0; ctx.Err() == nil && failures < projectTries; {
		err := p.identifyAnew(ctx)
		if err == nil || isUnknown(err) || ctx.Err() != nil {
			return
		}
		wait := p.pace.sweep
		if !isMismatch(err) {
			failures++
			wait = retryAfter(failures)
			p.noAnswer(err, wait, failures == 1)
		}
		if pause(ctx, wait) != nil {
			return
		}
	}
}

// noAnswer notes that the project does not answer.
func (p *project) noAnswer(err error, wait time.Duration, first bool) {
	p.metrics.failed(p.name, "project", err)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.silent(err, time.Now(), wait) {
		p.log.Log(context.Background(), p.outage.level(err, first), "the project does not answer; nothing of it is Deleted until it does", "error", err, "do", p.advice(err))
	}
}

// watchIdentity compares the project now and then with the one that the log is of, until the context ends. Where MK.IO's
// list of projects is asked for, that tells the id; a project that is refused, or has not answered yet, is asked for by itself.
func (p *project) watchIdentity(ctx context.Context) {
	for pause(ctx, p.pace.sweep) == nil {
		if len(p.Projects) == 0 && p.identity.settled() {
			continue
		}
		if err := p.identifyAnew(ctx); err != nil && !ofIdentity(err) && ctx.Err() == nil {
			p.noAnswer(err, p.pace.active, false)
		}
	}
}
