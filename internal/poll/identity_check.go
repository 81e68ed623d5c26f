package poll

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// An identification is what is known of whether the project that answers is the one that the log is of.
//
// mu guards what follows it; nothing is called under it.
type identityCheck struct {
	*scope
	record *identityRecord
	lists  *lists
	outage *outage

	mu            sync.Mutex
	standing      identity.Standing // zero: the project has not answered yet
	found         identity.Found    // what answered last
	refusal       error             // why the project is not polled; nil: it is
	decisive      uint64            // the last sequence that can tell, while it is unknown
	deletionsWait bool              // a deletion waits until the project is known
}

// refused says why the project is not polled; nil: it is.
func (i *identityCheck) refused() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.refusal
}

// settled says whether the project has answered, and is polled.
func (i *identityCheck) isPolled() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.standing == identity.Known || i.standing == identity.Unknown
}

// question returns what answered under the project's name, and the last sequence of the events that can show whether it is
// the log's own project; unknown is false if its identity is known.
func (i *identityCheck) unresolved() (found identity.Found, upTo uint64, unknown bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.found, i.decisive, i.standing == identity.Unknown
}

// compareAnew asks MK.IO for the project and compares it with the one that the log is of. It returns nil where it is the
// same, so that what it lacks may be recorded as Deleted.
func (i *identityCheck) check(ctx context.Context) error {
	organisation := i.client.Organisation()
	project, err := i.client.Project(ctx, mkio.Changes, i.name)
	i.outage.projectResponse(err)
	switch {
	case isMismatch(err):
		i.refuse(err)
		return err
	case mkio.StatusOf(err) == 403:
		project = mkio.Project{Moment: mkio.MomentOf(err)} // the token may not see the project, and so not its id
	case err != nil:
		return err
	}
	if project.Moment.Stored { // it may be of another project that had the name
		return fmt.Errorf("what MK.IO shows of the project: %w", ErrStored)
	}
	if organisation != i.client.Organisation() {
		organisation = "" // the token was exchanged meanwhile: whose answer it is cannot be told
	}
	return i.compare(ctx, organisation, project.ID)
}

// compare compares what answers under the project's name with the one that the log is of. It returns nil where it is the
// same, else an [identity.MismatchError] or an [identity.UnknownError]; or that the note cannot be read or written.
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
				i.log.Warn("the project that answers was adopted: what it does not have becomes Deleted", "recorded", was, "adopted", id)
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

// judge is [identity.Note.Judge], where the operator may have said that what answers is the log's own.
func judge(note identity.Note, found identity.Found, adopt bool) (identity.Standing, error) {
	if adopt { // the address and the organisation were adopted at the start; another bridge may have said otherwise since
		note.Projects = map[string]string{found.Project: found.ID}
	}
	return note.Judge(found)
}

// unrecorded says whether the log has no event of the project.
func (i *identityCheck) isUnrecorded() bool {
	for _, kind := range lifecycle.Kinds() {
		if i.inventory.Count(kind, i.name) > 0 {
			return false
		}
	}
	return true
}

// recognise takes the project for the one that the log is of, because it shows a life that is recorded.
func (i *identityCheck) confirmByLife(ctx context.Context, h head, o lifecycle.Observation) error {
	if h.fact == nil || h.fact.Life == "" || h.fact.Life != o.Life {
		return nil
	}
	found, upTo, unknown := i.unresolved()
	if !unknown || h.fact.Sequence > upTo {
		return nil
	}
	_, err := i.record.update(ctx, func(n identity.Note) (identity.Note, error) {
		if standing, err := n.Judge(found); standing == identity.Another {
			return n, err
		}
		return n.With(found), nil
	})
	i.conclude(found, upTo, err)
	return err
}

// conclude notes what was found out about the project, and says it once. upTo is the last sequence that can tell more of one
// that is unknown.
func (i *identityCheck) conclude(found identity.Found, upTo uint64, err error) {
	switch {
	case isMismatch(err):
		i.refuse(err)
		return
	case err != nil && !isUnknown(err):
		return // the note cannot be read or written: nothing is found out
	}
	i.mu.Lock()
	before, refused, waited := i.standing, i.refusal != nil, i.deletionsWait
	i.standing, i.found, i.decisive, i.refusal = identity.Known, found, upTo, nil
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
	switch {
	case refused:
		i.log.Info("the project is the one that the log is of again; polling goes on")
		i.wakeScheduler()
	case after == identity.Unknown && before != after:
		i.log.Warn("the identity of the project is unknown: deletions wait until it shows a life that is recorded", "error", err, "do", i.advice(err))
	case after == identity.Known && before == identity.Unknown:
		i.log.Info("the project is the one that the log is of", "id", found.ID)
	}
	if waited && after == identity.Known {
		i.lists.sweepNow()
	}
}

// refuse stops all polling of the project, for what answers is another one.
func (i *identityCheck) refuse(err error) {
	if mismatch, ok := errors.AsType[*identity.MismatchError](err); ok {
		err = mismatch // whatever request found it: it is said once
	}
	i.mu.Lock()
	logged := i.refusal != nil && i.refusal.Error() == err.Error()
	i.standing, i.refusal = identity.Another, err
	i.mu.Unlock()
	i.metrics.setIdentity(i.name, identity.Another)
	if !logged {
		i.log.Error("the project is not polled: MK.IO is not the one that the log is of", "error", err, "do", i.advice(err))
	}
}

// waits notes that a deletion waits until the project is known.
func (i *identityCheck) noteWaiting(t *tally, err error) {
	i.mu.Lock()
	i.deletionsWait = true
	i.mu.Unlock()
	t.noteFailure(err)
}

// holdsDeletions says whether deletions wait until the project is known.
func (i *identityCheck) blocksDeletions(t *tally) bool {
	if _, _, unknown := i.unresolved(); !unknown {
		return false
	}
	i.noteWaiting(t, &identity.UnknownError{Project: i.name})
	return true
}

// mayEnd says whether an observation that ends a recorded life may be recorded: the project was compared after MK.IO gave
// the answer that shows it.
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

// ends says whether to record a verdict beside a head would end the recorded life.
func endsLife(h head, o lifecycle.Observation, v lifecycle.Verdict) bool {
	return h.fact != nil && (v.Outcome == lifecycle.Reborn || v.News() && lifecycle.SameState(o.State, lifecycle.StateDeleted))
}
