package poll

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/mkio"
)

// A recordedIdentity is which MK.IO the log is of, as it is recorded and as this bridge knows: all projects share it.
//
// mu guards what follows it; nothing is called under it. The note is read and changed without it.
type identityRecord struct {
	store   identity.Store
	address string                        // of the API, as identities have it
	adopt   bool                          // what answers first for each project is the log's own
	note    atomic.Pointer[identity.Note] // as it was last read; nil: it was not yet

	mu        sync.Mutex
	adopted   map[string]bool           // projects for which adopt has counted
	confirmed map[string]identity.Found // by name, what answered and is the log's own
}

func newIdentityRecord(c Config) *identityRecord {
	return &identityRecord{
		store: identity.NewStore(c.Notes), address: identity.Address(c.Client.Address()), adopt: c.Adopt,
		adopted: map[string]bool{}, confirmed: map[string]identity.Found{},
	}
}

// read reads the note anew: another bridge may have adopted another MK.IO meanwhile.
func (r *identityRecord) read(ctx context.Context) (identity.Note, error) {
	note, err := r.store.Read(ctx)
	if err != nil {
		return note, logError{err}
	}
	r.note.Store(&note)
	return note, nil
}

// learn changes the note, and returns it as it is then.
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

// admit refuses a token of another organisation than the log's.
func (r *identityRecord) admit(token string) error {
	if note := r.note.Load(); note != nil {
		return note.CheckOrganisation(mkio.TokenOrganisation(token))
	}
	return nil
}

// adopts says whether what answers for a project is the log's own because the operator says so. That counts once for each
// project: what answers later is compared with what was adopted.
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

// remember keeps what answered as the log's own: the note of it may fail, or be lost while this bridge runs.
func (r *identityRecord) confirm(found identity.Found) {
	found.Empty = false
	r.mu.Lock()
	defer r.mu.Unlock()
	r.confirmed[found.Project] = found
}

// recall returns what answered. What this bridge knows to be the log's own counts as it did when the log had nothing of the
// project.
func (r *identityRecord) withConfirmed(found identity.Found) identity.Found {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.confirmed[found.Project]; ok && known == found {
		found.Empty = true
	}
	return found
}

// ofIdentity says whether an error is that another MK.IO answers, or may.
func isIdentityError(err error) bool { return isMismatch(err) || isUnknown(err) }

func isMismatch(err error) bool {
	_, ok := errors.AsType[*identity.MismatchError](err)
	return ok
}

func isUnknown(err error) bool {
	_, ok := errors.AsType[*identity.UnknownError](err)
	return ok
}
