package main

import (
	"context"
	"errors"

	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/mkio"
)

// claim returns the identity of the MK.IO that the settings name.
func (c config) claim() identity.Claim {
	return identity.Claim{
		Address:      identity.Address(c.MkioURL),
		Organisation: mkio.TokenOrganisation(c.MkioToken.value()),
		Adopt:        identity.Adoption(c.MkioAdopt),
	}
}

// checkIdentity returns an error when the log belongs to another MK.IO than the settings name. It runs before anything is
// polled or accepted. When the log has no recorded identity, it records the configured one.
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
	_, another := errors.AsType[*identity.MismatchError](err) // recorded by another bridge since the read
	switch {
	case another || err != nil && claim.Adopt != identity.AdoptNothing:
		return identityError(err)
	case err != nil: // e.g. a full disk; at the next start, the log's last events still reveal its address
		b.log.Warn("identity of the log's MK.IO cannot be recorded; continuing without it", "error", err)
	case claim.Adopt != identity.AdoptNothing:
		b.log.Warn("another MK.IO was adopted for the log: unset the setting now", "setting", "BRIDGE_MKIO_ADOPT", "value", b.config.MkioAdopt,
			"recorded_address", before.Address, "adopted_address", after.Address,
			"recorded_organisation", before.Organisation, "adopted_organisation", after.Organisation)
	}
	return nil
}

// identityError makes an error of the log's identity a usageError, because settings correct it; others are returned
// unchanged.
func identityError(err error) error {
	if identityAdvice(err) != "" {
		return usageError{err}
	}
	return err
}
