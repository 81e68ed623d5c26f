package doctor

import (
	"context"
	"errors"
	"net/http"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/printable"
)

// checkIdentity compares the configured MK.IO with that of the log, if there is a log.
func (x *examination) checkIdentity(ctx context.Context) {
	const check = "the log's MK.IO"
	if x.js == nil {
		return // already a finding
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	_, err := x.js.Stream(ctx, x.NATS.Streams.Names.EventStream())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return // there is no log yet
	}
	log := eventlog.New(x.js, x.NATS.Streams.Names)
	var tail identity.Tail
	if x.recorded, err = readIdentity(ctx, log); err == nil {
		tail, err = identity.TailOf(ctx, log)
	}
	if err != nil {
		x.report(warning(check, "identity cannot be read: "+reason(err), NotesUnreadable).withCause(err))
		return
	}
	claim := x.MKIO.Claim
	switch _, err := x.recorded.Begin(claim, tail); {
	case err != nil:
		x.report(failed(check, reason(err), IdentityMismatch).withCause(err))
	case claim.Adopt != identity.AdoptNothing:
		x.report(warning(check, "the configured MK.IO is adopted at each start", IdentityReadopted))
	case x.recorded.Address == "" && tail.Last == 0:
		x.report(ok(check, "the log is empty, and will be of "+claim.Address))
	default:
		x.report(ok(check, "same as configured, "+claim.Address))
	}
}

// readIdentity reads the identity of the log's MK.IO; the zero Note if no bridge has run on the log.
func readIdentity(ctx context.Context, log *eventlog.Log) (identity.Note, error) {
	notes, err := log.Notes(ctx)
	if notes == nil || err != nil {
		return identity.Note{}, err
	}
	return identity.NewStore(notes).Read(ctx)
}

// checkProjectIdentity compares a project's id with the one recorded for its name.
func (x *examination) checkProjectIdentity(ctx context.Context, name string) {
	check := "identity of project " + printable.Name(name)
	id, known := x.recorded.Projects[name]
	if !known {
		return // no bridge has polled it
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	project, err := x.client.Project(ctx, mkio.Urgent, name)
	if err != nil && mkio.StatusOf(err) != http.StatusForbidden {
		x.report(warning(check, reason(err), MKIOFailed).withCause(err))
		return
	}
	// checkIdentity has compared the address already.
	found := identity.Found{Address: x.recorded.Address, Organisation: x.MKIO.Claim.Organisation, Project: name, ID: project.ID}
	if _, err := x.recorded.CheckProject(found); err != nil {
		x.report(failed(check, reason(err), IdentityMismatch).withCause(err))
		return
	}
	x.report(ok(check, "same as in the log, "+id))
}
