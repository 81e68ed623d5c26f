package poll

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// An identityCheck compares the project that responds under a name with the one whose events the log has, and holds the result.
//
// mu guards the fields below it; nothing is called under it.
type identityCheck struct {
	*scope
	record *identityRecord
	lists  *lists
	outage *outage

	mu            sync.Mutex
	standing      identity.Standing // zero: the project has not responded yet
	found         identity.Found    // the last response
	refusal       error             // why the project is not polled; nil: it is polled
	decisive      uint64            // while it is unknown: events up to this sequence can confirm it, later ones may be its own
	deletionsWait bool              // a deletion waits until the identity is known
}

// refused returns why the project must not be polled; nil: it may.
func (i *identityCheck) refused() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.refusal
}

// isPolled reports whether the project has responded and is polled.
func (i *identityCheck) isPolled() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.standing == identity.Known || i.standing == identity.Unknown
}

// unresolved returns the last response and the decisive sequence; unknown is false if the identity is known.
func (i *identityCheck) unresolved() (found identity.Found, decisive uint64, unknown bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.found, i.decisive, i.standing == identity.Unknown
}

// check requests the project from MK.IO and compares it. It returns nil if it is the log's own, so that resources it lacks may
// be recorded as Deleted; else the errors of compare, or of the request.
func (i *identityCheck) check(ctx context.Context) error {
	organisation := i.client.Organisation()
	project, err := i.client.Project(ctx, mkio.Changes, i.name)
	i.outage.projectResponse(err)
	switch {
	case isMismatch(err):
		i.refuse(err)
		return err
	case mkio.StatusOf(err) == 403:
		project = mkio.Project{AsOf: mkio.AsOfError(err)} // the token may not read the project, so its id is not known
	case err != nil:
		return err
	}
	if project.AsOf.Stored { // it may be of an earlier project with the name
		return fmt.Errorf("response for the project: %w", ErrStoredCopy)
	}
	if organisation != i.client.Organisation() {
		organisation = "" // the token was exchanged meanwhile, so it is not known which of the two was used
	}
	return i.compare(ctx, organisation, project.ID)
}

// compare compares the organisation and id that responded with the recorded ones. It returns nil if they match, an
// [identity.MismatchError], an [identity.UnknownError], or a logError if the note cannot be read or written.
func (i *identityCheck) compare(ctx context.Context, organisation, id string) error {
	note, err := i.record.read(ctx)
	if err != nil {
		return err
	}
	found := i.record.withConfirmed(identity.Found{Address: i.record.address, Organisation: organisation, Project: i.name, ID: id, Empty: i.isUnrecorded()})
	if found.Empty {
		i.record.confirm(found)
	}
	adopt := i.record.shouldAdopt(i.name)
	standing, err := judge(note, found, adopt)
	if standing == identity.Known {
		_, err = i.record.update(ctx, func(n identity.Note) (identity.Note, error) {
			if _, err := judge(n, found, adopt); err != nil {
				return n, err
			}
			if adopt {
				return n.With(found).WithProject(found.Project, found.ID), nil
			}
			return n.With(found), nil
		})
		if err == nil && adopt {
			i.record.markAdopted(i.name)
			if was, ok := note.Projects[i.name]; was != id || !ok && !found.Empty {
				i.log.Warn("project adopted: recorded resources that it lacks become Deleted", "recorded", was, "adopted", id)
			}
		}
	}
	if standing == identity.Unknown {
		var failed error
		note, failed = i.record.update(ctx, func(n identity.Note) (identity.Note, error) { return n.WithUnknown(i.name, i.eventLog.Horizon()), nil })
		if failed != nil {
			return failed
		}
	}
	i.conclude(found, note.Unknown[i.name], err)
	return err
}

// judge is [identity.Note.CheckProject], with the operator's word that the project is the log's own if adopt is true.
func judge(note identity.Note, found identity.Found, adopt bool) (identity.Standing, error) {
	if adopt { // address and organisation were adopted at start-up; another bridge may have changed the note since
		note.Projects = map[string]string{found.Project: found.ID}
	}
	return note.CheckProject(found)
}

// isUnrecorded reports whether the log has no event of the project.
func (i *identityCheck) isUnrecorded() bool {
	for _, kind := range lifecycle.Kinds() {
		if living, deleted := i.inventory.Count(kind, i.name); living+deleted > 0 {
			return false
		}
	}
	return true
}

// confirmByLife accepts the project as the log's own when it shows a life that is recorded.
func (i *identityCheck) confirmByLife(ctx context.Context, h head, o lifecycle.Observation) error {
	if h.fact == nil || h.fact.Life == "" || h.fact.Life != o.Life {
		return nil
	}
	found, decisive, unknown := i.unresolved()
	if !unknown || h.fact.Sequence > decisive {
		return nil
	}
	_, err := i.record.update(ctx, func(n identity.Note) (identity.Note, error) {
		if standing, err := n.CheckProject(found); standing == identity.Another {
			return n, err
		}
		return n.With(found), nil
	})
	i.conclude(found, decisive, err)
	return err
}

// conclude notes the result of a comparison, and logs each change.
func (i *identityCheck) conclude(found identity.Found, decisive uint64, err error) {
	switch {
	case isMismatch(err):
		i.refuse(err)
		return
	case err != nil && !isUnknown(err):
		return // the note cannot be read or written: there is no result
	}
	i.mu.Lock()
	before, refused, waited := i.standing, i.refusal != nil, i.deletionsWait
	i.standing, i.found, i.decisive, i.refusal = identity.Known, found, decisive, nil
	if err != nil {
		i.standing = identity.Unknown
	} else {
		i.deletionsWait = false
	}
	after := i.standing
	i.mu.Unlock()
	if after == identity.Known {
		i.record.confirm(found)
	}
	i.metrics.setIdentity(i.name, after)
	i.scope.standing.setIdentity(after, err, time.Now())
	switch {
	case refused:
		i.log.Info("project identity matches the log's again; polling resumed")
		i.wakeScheduler()
	case after == identity.Unknown && before != after:
		i.log.Warn("project identity unknown; deletions wait until it shows a recorded resource", "error", err, "do", i.advice(err))
	case after == identity.Known && before == identity.Unknown:
		i.log.Info("project identity confirmed", "id", found.ID)
	}
	if waited && after == identity.Known {
		i.lists.sweepNow()
	}
}

// refuse stops all polling of the project, because another MK.IO or project responds.
func (i *identityCheck) refuse(err error) {
	if mismatch, ok := errors.AsType[*identity.MismatchError](err); ok {
		err = mismatch // without the request that found it, so that the same mismatch is logged once
	}
	i.mu.Lock()
	logged := i.refusal != nil && i.refusal.Error() == err.Error()
	i.standing, i.refusal = identity.Another, err
	i.mu.Unlock()
	i.metrics.setIdentity(i.name, identity.Another)
	i.scope.standing.setIdentity(identity.Another, err, time.Now())
	if !logged {
		i.log.Error("project not polled: its identity differs from the log's", "error", err, "do", i.advice(err))
	}
}

// noteWaiting notes that a deletion waits until the identity is known.
func (i *identityCheck) noteWaiting(t *tally, err error) {
	i.mu.Lock()
	i.deletionsWait = true
	i.mu.Unlock()
	t.noteFailure(err)
}

// blocksDeletions reports whether deletions must wait because the identity is unknown.
func (i *identityCheck) blocksDeletions(t *tally) bool {
	if _, _, unknown := i.unresolved(); !unknown {
		return false
	}
	i.noteWaiting(t, &identity.UnknownError{Project: i.name})
	return true
}

// allowsEnd reports whether an observation that ends a recorded life may be recorded. It checks the identity, unless that was
// done after the response that shows the end.
func (i *identityCheck) allowsEnd(ctx context.Context, req request) (bool, error) {
	if req.identityChecked != nil && *req.identityChecked {
		return true, nil
	}
	err := i.check(ctx)
	if isUnknown(err) {
		i.noteWaiting(req.tally, err)
		return false, nil
	}
	if err == nil && req.identityChecked != nil {
		*req.identityChecked = true
	}
	return err == nil, err
}

// endsLife reports whether recording an observation ends the recorded life.
func endsLife(h head, o lifecycle.Observation, v lifecycle.Verdict) bool {
	return h.fact != nil && (v.Outcome == lifecycle.Reborn || v.News() && lifecycle.SameState(o.State, lifecycle.StateDeleted))
}
