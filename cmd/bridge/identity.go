package main

import (
	"context"
	"errors"

	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/mkio"
)

// claim is the MK.IO that the settings name.
func (c config) claim() identity.Claim {
	return identity.Claim{
		Address:      identity.Address(c.MkioURL),
		Organisation: mkio.TokenOrganisation(c.MkioToken.value()),
		Adopt:        identity.Adoption(c.MkioAdopt),
	}
}

// checkIdentity refuses to start on a log that is of another MK.IO than the settings name, before anything is polled or
// taken from a webhook. Where none is recorded it records the one that is configured.
func (b *bridge) checkIdentity(ctx context.Context) error {
	notes, err := b.js.KeyValue(ctx, b.names.NotesBucket())
	if err != nil {
		return err
	}
	tail, err := identity.TailOf(ctx, b.events)
	if err != nil {
		return err
	}
	claim := b.config.claim()
	begin := func(n identity.Note) (identity.Note, error) { return n.Begin(claim, tail) }
	store := identity.NewStore(notes)
	recorded, err := store.Read(ctx)
	if err == nil {
		_, err = begin(recorded)
	}
	if err != nil {
		return identityError(err)
	}
	before, after, err := store.Change(ctx, begin)
	_, another := errors.AsType[*identity.MismatchError](err) // which another bridge recorded meanwhile
	switch {
	case another || err != nil && claim.Adopt != identity.AdoptNothing:
		return identityError(err)
	case err != nil: // the disk may be full; the log's last events tell its address at the next start
		b.log.Warn("the identity of the log's MK.IO cannot be recorded; going on without", "error", err)
	case claim.Adopt != identity.AdoptNothing:
		b.log.Warn("an MK.IO is adopted for the log: remove the setting after the start that needed it", "setting", prefix+"_MKIO_ADOPT", "value", b.config.MkioAdopt,
			"recorded_address", before.Address, "adopted_address", after.Address,
			"recorded_organisation", before.Organisation, "adopted_organisation", after.Organisation)
	}
	return nil
}

// identityError tells a log of another MK.IO, which is a matter of the settings, from other errors.
func identityError(err error) error {
	if identityAdvice(err) != "" {
		return usageError{err}
	}
	return err
}
