package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/printable"
)

// checkIdentity compares the settings with the MK.IO that the log is of, and returns what is recorded of that. js may be nil.
func (d *doctor) checkIdentity(ctx context.Context, js jetstream.JetStream) (recorded identity.Note) {
	const check = "the log's MK.IO"
	if js == nil {
		return recorded // which is said already
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	names := event.NewNames(d.conf.SubjectPrefix)
	_, err := js.Stream(ctx, names.EventStream())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return recorded // there is no log yet
	}
	recorded, err = recordedIdentity(ctx, js, names)
	var tail identity.Tail
	if err == nil {
		tail, err = identity.TailOf(ctx, eventlog.New(js, names))
	}
	if err != nil {
		d.warn(check, "it cannot be read: "+reason(err), cmp.Or(advice(err), "see to NATS first"))
		return recorded
	}
	switch _, err := recorded.Begin(d.conf.claim(), tail); {
	case err != nil:
		d.fail(check, reason(err), identityAdvice(err))
	case d.conf.claim().Adopt != identity.AdoptNothing:
		d.warn(check, "what answers is adopted at each start", "unset BRIDGE_MKIO_ADOPT after the start that needed it")
	case recorded.Address == "" && tail.Last == 0:
		d.ok(check, "the log is empty: it will be "+d.conf.claim().Address)
	default:
		d.ok(check, "it is the configured one, "+d.conf.claim().Address)
	}
	return recorded
}

// checkProjectIdentity compares a project with the one of its name that the log is of.
func (d *doctor) checkProjectIdentity(ctx context.Context, client *mkio.Client, recorded identity.Note, name string) {
	check := "identity of project " + printable.Name(name)
	id, ok := recorded.Projects[name]
	if !ok {
		return // no bridge has polled it
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	project, err := client.Project(ctx, mkio.Urgent, name)
	if err != nil && mkio.StatusOf(err) != http.StatusForbidden {
		d.warn(check, reason(err), adviceOn(err, "try again later"))
		return
	}
	// The address was compared as a whole.
	found := identity.Found{Address: recorded.Address, Organisation: d.conf.claim().Organisation, Project: name, ID: project.ID}
	if _, err := recorded.Judge(found); err != nil {
		d.fail(check, reason(err), identityAdvice(err))
		return
	}
	d.ok(check, "it is the one that the log is of, "+id)
}
