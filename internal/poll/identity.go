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

// compareListed compares the projects that are polled here with those that MK.IO listed.
func (p *Poller) compareListed(ctx context.Context, listed []mkio.Project) {
	organisation := p.Client.Organisation()
	for _, l := range listed {
		if project := p.project(l.Name); project != nil && l.ID != "" {
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

// adviceOn says what to do about an error.
func (p *Poller) adviceOn(err error) string {
	if ofIdentity(err) && p.Advise != nil {
		return p.Advise(err)
	}
	return advice(err)
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

// awaitIdentity waits until the project may be polled: it answers, and is not another one than the log's.
func (p *project) awaitIdentity(ctx context.Context) {
	for failures := 1; ctx.Err() == nil; failures++ {
		err := p.identifyAnew(ctx)
		if err == nil || isUnknown(err) || ctx.Err() != nil {
			return
		}
		wait := p.pace.sweep
		if !isMismatch(err) {
			wait = retryAfter(failures)
			p.metrics.failed(p.name, "project", err)
			p.mu.Lock()
			said := p.silent(err, time.Now(), wait)
			p.mu.Unlock()
			if !said && failures == 1 {
				p.log.Warn("the project does not answer; polling waits for it", "error", err, "do", advice(err))
			}
		}
		if pause(ctx, wait) != nil {
			return
		}
	}
}

// watchIdentity compares the project now and then with the one that the log is of, until the context ends. Where MK.IO's
// list of projects is asked for, that tells the id; where the project is refused, it is asked whether that is over.
func (p *project) watchIdentity(ctx context.Context) {
	for {
		if pause(ctx, p.pace.sweep) != nil {
			return
		}
		if p.identity.refused() != nil || len(p.Projects) > 0 {
			if err := p.identifyAnew(ctx); err != nil && !ofIdentity(err) && ctx.Err() == nil {
				p.metrics.failed(p.name, "project", err)
				p.log.Debug("the project does not answer", "error", err)
			}
		}
	}
}
