package poll

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/mkio"
)

// An identityRecord is the recorded identity of the log's MK.IO. All projects share it.
//
// mu guards the fields below it; nothing is called under it. The note is read and written without it.
type identityRecord struct {
	store   identity.Store
	address string                        // of the API, normalised
	adopt   bool                          // Config.Adopt
	note    atomic.Pointer[identity.Note] // as last read; nil: not read yet

	mu        sync.Mutex
	adopted   map[string]bool           // by project name: adopt has been applied
	confirmed map[string]identity.Found // by project name: responses that this bridge knows to be the log's own
}

func newIdentityRecord(c Config) *identityRecord {
	return &identityRecord{
		store: identity.NewStore(c.Notes), address: identity.Address(c.Client.Address()), adopt: c.Adopt,
		adopted: map[string]bool{}, confirmed: map[string]identity.Found{},
	}
}

// read reads the note again, because another bridge may have adopted another MK.IO meanwhile.
func (r *identityRecord) read(ctx context.Context) (identity.Note, error) {
	note, err := r.store.Read(ctx)
	if err != nil {
		return note, logError{err}
	}
	r.note.Store(&note)
	return note, nil
}

// update changes the note and returns the new one.
func (r *identityRecord) update(ctx context.Context, to func(identity.Note) (identity.Note, error)) (identity.Note, error) {
	_, after, err := r.store.Change(ctx, to)
	switch {
	case isIdentityError(err):
		return after, err
	case err != nil:
		return after, logError{err}
	}
	r.note.Store(&after)
	return after, nil
}

// admit returns an error for a token of another organisation than the recorded one.
func (r *identityRecord) admit(token string) error {
	if note := r.note.Load(); note != nil {
		return note.CheckOrganisation(mkio.TokenOrganisation(token))
	}
	return nil
}

// shouldAdopt reports whether the next response for a project becomes the log's own because the operator said so. That applies
// once to each project: later responses are compared with the adopted one.
func (r *identityRecord) shouldAdopt(project string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.adopt && !r.adopted[project]
}

func (r *identityRecord) markAdopted(project string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.adopted[project] = true
}

// confirm notes in memory that a response is the log's own: storing the note may fail, or the note may be lost later.
func (r *identityRecord) confirm(found identity.Found) {
	found.Empty = false
	r.mu.Lock()
	defer r.mu.Unlock()
	r.confirmed[found.Project] = found
}

// withConfirmed returns found. If this bridge has confirmed the same response before, it is marked as Empty, as it was before the
// log had events of the project, so that no recorded life is needed to accept it again.
func (r *identityRecord) withConfirmed(found identity.Found) identity.Found {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.confirmed[found.Project]; ok && known == found {
		found.Empty = true
	}
	return found
}

// isIdentityError reports whether an error says that another MK.IO responds, or may respond.
func isIdentityError(err error) bool { return isMismatch(err) || isUnknown(err) }

func isMismatch(err error) bool {
	_, ok := errors.AsType[*identity.MismatchError](err)
	return ok
}

func isUnknown(err error) bool {
	_, ok := errors.AsType[*identity.UnknownError](err)
	return ok
}
