package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/publish"
)

// The oldest NATS server that has what the streams need.
const (
	natsMajor = 2
	natsMinor = 12
)

// checkNATS returns a connection and its JetStream; nil where there is none.
func (d *doctor) checkNATS(ctx context.Context) (*nats.Conn, jetstream.JetStream) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	nc, js, err := d.call.connect(ctx, d.conf, slog.New(slog.DiscardHandler))
	if err != nil {
		do := "see that it runs, and that the BRIDGE_NATS_… settings say the way in"
		if d.conf.NatsURL == "" {
			do = "start the bridge, whose embedded server this is, or set BRIDGE_NATS_URL"
			if errors.Is(err, nats.ErrAuthorization) {
				do = "set BRIDGE_NATS_READER_TOKEN as the bridge has it"
			}
		}
		d.fail("NATS", reason(err), do)
		return nil, nil
	}
	d.checkVersion(nc.ConnectedServerVersion())
	asked := time.Now()
	if _, err := js.AccountInfo(ctx); err != nil {
		do := "enable JetStream on the server and for this account"
		if errors.Is(err, context.DeadlineExceeded) {
			do += "; where it is, its API queue may be full of readers' requests: " + queueAdvice
		}
		d.fail("JetStream", reason(err), do)
		return nc, nil
	}
	d.ok("JetStream", "it is on")
	if d.conf.NatsURL != "" {
		d.checkQueue(nc.ConnectedServerVersion(), time.Since(asked))
	}
	d.checkStreams(ctx, nc, js)
	return nc, js
}

func (d *doctor) checkVersion(version string) {
	found := "server " + version
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		d.warn("NATS", found+", a version that cannot be read", fmt.Sprintf("see that it is %d.%d or newer", natsMajor, natsMinor))
		return
	}
	if major < natsMajor || major == natsMajor && minor < natsMinor {
		d.fail("NATS", found, fmt.Sprintf("update it to %d.%d or newer", natsMajor, natsMinor))
		return
	}
	d.ok("NATS", found)
}

func (d *doctor) checkStreams(ctx context.Context, nc *nats.Conn, js jetstream.JetStream) {
	streams := publish.Streams{Names: event.NewNames(d.conf.SubjectPrefix), Replicas: d.conf.StreamReplicas, MaxAge: d.conf.MaxAge}
	writable := true
	for _, s := range publish.Verify(ctx, js, streams) {
		check := "stream " + s.Name
		switch {
		case s.Missing && d.conf.StreamManage == "create":
			d.warn(check, "it does not exist", "start the bridge, which creates it")
		case s.Missing:
			d.fail(check, "it does not exist", "create it, or set BRIDGE_STREAM_MANAGE=create and start the bridge")
		case s.Err != nil:
			d.fail(check, reason(s.Err), "change the stream, or choose another BRIDGE_SUBJECT_PREFIX; the bridge refuses to run on it")
		default:
			d.ok(check, "it is as the bridge needs it")
		}
		writable = writable && s.Err == nil
	}
	if d.conf.NatsURL == "" {
		d.ok("publishing", "the server is the bridge's own, and nobody else may")
	} else if writable {
		d.checkPublish(ctx, nc, js, streams)
	}
}

// publishTime is how long the doctor waits for JetStream: a server that forbids a write does not answer it, and tells the
// connection.
const publishTime = 3 * time.Second

func (d *doctor) checkPublish(ctx context.Context, nc *nats.Conn, js jetstream.JetStream, streams publish.Streams) {
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	ctx, forbid := context.WithCancelCause(ctx)
	defer forbid(nil)
	nc.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		if errors.Is(err, nats.ErrPermissionViolation) {
			forbid(err)
		}
	})
	err := publish.TryWrites(ctx, js, streams)
	if err == nil {
		d.ok("publishing", "the bridge may write to the log and what is beside it, and remove what it retries")
		return
	}
	if cause := context.Cause(ctx); errors.Is(cause, nats.ErrPermissionViolation) {
		err = cause
	}
	n := streams.Names
	d.fail("publishing", reason(err), fmt.Sprintf("let the user publish to %s, %s.>, %s.>, $KV.%s.>, $KV.%s.> and $JS.API.>, and subscribe to _INBOX.>; deploy/nats/accounts.conf names the parts of $JS.API.> that a bridge needs, such as $JS.API.STREAM.MSG.DELETE.%s for retries",
		n.EventSubjects(), n.UnappliedPrefix(), n.AuditPrefix(), n.LeaseBucket(), n.NotesBucket(), n.UnappliedStream()))
}
