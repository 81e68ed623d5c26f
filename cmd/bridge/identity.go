package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/noanswer"
)

// lastSources is how many of the log's last events are asked below which address they lie.
const lastSources = 16

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
	tail, err := tailOf(ctx, b.events)
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

// tailOf returns the end of a log as identities are compared with it.
func tailOf(ctx context.Context, log *eventlog.Log) (identity.Tail, error) {
	events, last, err := log.Latest(ctx, lastSources)
	tail := identity.Tail{Last: last}
	for _, e := range events {
		if decoded, err := event.Decode(e.Payload); err == nil {
			tail.Sources = append(tail.Sources, identity.Source{Sequence: e.Sequence, URL: decoded.Source})
		}
	}
	return tail, err
}

// identityError makes of a mismatch what an operator is to read and do. It is a matter of the settings.
func identityError(err error) error {
	if advice := identityAdvice(err); advice != "" {
		return usageError{fmt.Errorf("%w: %s", err, advice)}
	}
	return err
}

// identityAdvice says what to do about an error of package identity; "" for any other.
func identityAdvice(err error) string {
	if unknown, ok := errors.AsType[*identity.UnknownError](err); ok {
		return fmt.Sprintf("nothing, where the project %s is the one that the log is of and has a resource that is recorded; where all that is recorded is gone from it, start once with %s_MKIO_ADOPT=all", unknown.Project, prefix)
	}
	mismatch, ok := errors.AsType[*identity.MismatchError](err)
	if !ok {
		return ""
	}
	const fresh = "give another MK.IO a log of its own: another BRIDGE_STORE_DIR, or another BRIDGE_SUBJECT_PREFIX on the same NATS"
	const all = "to go on with this log all the same, start once with BRIDGE_MKIO_ADOPT=all: what the log has and the other has not becomes Deleted"
	switch mismatch.Aspect {
	case identity.OfAddress:
		return "correct BRIDGE_MKIO_URL, or " + fresh + "; where it is the same MK.IO under a new address, start once with BRIDGE_MKIO_ADOPT=address; " + all
	case identity.OfOrganisation:
		return "give BRIDGE_MKIO_TOKEN a token of the log's organisation, or " + fresh + "; " + all
	case identity.OfProject:
	}
	return "it was made anew, or MK.IO is another: " + fresh + "; " + all
}

// recordedIdentity reads which MK.IO the log is of; the zero Note where no bridge has run on it.
func recordedIdentity(ctx context.Context, js jetstream.JetStream, names event.Names) (identity.Note, error) {
	notes, err := notesOf(ctx, js, names)
	if notes == nil || err != nil {
		return identity.Note{}, err
	}
	return identity.NewStore(notes).Read(ctx)
}

// notesOf returns the bucket of notes for who asks JetStream for nothing else meanwhile; nil where no bridge has run.
func notesOf(ctx context.Context, js jetstream.JetStream, names event.Names) (jetstream.KeyValue, error) {
	bucket := names.NotesBucket()
	asking, stop := noanswer.UntilForbidden(ctx, js.Conn(), bucket)
	defer stop()
	notes, err := js.KeyValue(asking, bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", bucket, noanswer.Why(ctx, js, err, bucket))
	}
	return notes, nil
}
