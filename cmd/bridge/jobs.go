package main

import (
	"cmp"
	"context"
	"iter"
	"log/slog"
	"os"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/admin"
	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/broker"
	"mkio-bridge/internal/jobs"
	"mkio-bridge/internal/noanswer"
)

// newJobs returns what runs the jobs of /v1.
func (b *bridge) newJobs(ctx context.Context) (*jobs.Runner, error) {
	notes, err := b.js.KeyValue(ctx, b.names.NotesBucket())
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname() // without one, jobs name this program
	return jobs.New(jobs.Config{Bucket: notes, Bridge: cmp.Or(host, programName), Kinds: admin.JobKinds(), Log: b.log}), nil
}

// verify verifies the log, as mkio-bridge verify does.
func (b *bridge) verify(ctx context.Context, o audit.Options) (*audit.Report, error) {
	return audit.Verify(ctx, b.js, b.names, o)
}

// examine yields the findings of mkio-bridge doctor about this bridge, with its settings and its current secrets.
func (b *bridge) examine(ctx context.Context) iter.Seq[admin.Finding] {
	return func(yield func(admin.Finding) bool) {
		for _, f := range settingFindings(b.config, nil) {
			if !yield(admin.Finding(f)) {
				return
			}
		}
		for f := range installationFindings(ctx, b.config.installation(b.connectAgain), b.verdicts) {
			if !yield(admin.Finding(f)) {
				return
			}
		}
	}
}

// connectAgain opens another connection to this bridge's NATS: the doctor closes the one that it uses.
func (b *bridge) connectAgain(ctx context.Context) (jetstream.JetStream, error) {
	connect := func() (*nats.Conn, error) {
		return broker.Connect(ctx, natsConfig(b.config, slog.New(slog.DiscardHandler)))
	}
	if b.embedded != nil {
		connect = b.embedded.Connect
	}
	nc, err := connect()
	if err != nil {
		return nil, connectError(err)
	}
	js, err := broker.NewJetStreamInDomain(nc, b.config.NatsDomain)
	if err != nil {
		nc.Close()
		return nil, err
	}
	return noanswer.Sequential(js), nil
}
