package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/noanswer"
	"mkio-bridge/internal/streams"
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
		d.fail("NATS", reason(err), d.connectAdvice(err))
		return nil, nil
	}
	d.checkVersion(nc.ConnectedServerVersion())
	asked := time.Now()
	account, err := askAccount(ctx, js)
	if err != nil {
		do := cmp.Or(advice(err), "enable JetStream on the server and for this account; where it is, its API queue may be full of readers' requests: "+queueAdvice)
		d.fail("JetStream", reason(err), do)
		return nc, nil
	}
	d.checkDomain(account.Domain)
	if d.conf.NatsURL != "" {
		d.checkQueue(nc.ConnectedServerVersion(), time.Since(asked))
	}
	d.checkStreams(ctx, account, js)
	return nc, js
}

// connectAdvice is for a NATS that cannot be reached, or refuses.
func (d *doctor) connectAdvice(err error) string {
	switch {
	case d.conf.NatsURL != "":
		return cmp.Or(advice(err), "correct the BRIDGE_NATS_… setting that it names")
	case errors.Is(err, nats.ErrAuthorization):
		return "set BRIDGE_NATS_READER_TOKEN as the bridge has it"
	}
	return "start the bridge, whose embedded server this is, or set BRIDGE_NATS_URL"
}

// askAccount asks JetStream about the account, and does not wait for an answer that the servers do not allow.
func askAccount(ctx context.Context, js jetstream.JetStream) (*jetstream.AccountInfo, error) {
	const about = ".INFO"
	asking, stop := noanswer.UntilForbidden(ctx, js.Conn(), about)
	defer stop()
	info, err := js.AccountInfo(asking)
	if err != nil {
		return nil, noanswer.Why(ctx, js, err, about)
	}
	return info, nil
}

// checkDomain says whose JetStream it is. A leaf node may have one of its own, which is another than that of the servers it
// is connected to.
func (d *doctor) checkDomain(domain string) {
	const check = "JetStream"
	switch {
	case domain == "":
		d.ok(check, "it is on")
	case d.conf.NatsDomain == "":
		d.say(finding{check, gradeOK, "it is on, of domain " + domain + ": that of the server itself", "where the streams are to be in another domain, set BRIDGE_NATS_DOMAIN"})
	default:
		d.ok(check, "it is on, of domain "+domain)
	}
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

func (d *doctor) checkStreams(ctx context.Context, account *jetstream.AccountInfo, js jetstream.JetStream) {
	config := d.conf.streams()
	writable := true
	for _, s := range streams.Verify(ctx, js, config) {
		check := "stream " + s.Name
		switch {
		case s.Missing && d.conf.StreamManage == "create" && config.MaxBytes == 0 && limitsSizes(account):
			d.fail(check, "it does not exist, and cannot be made without a limit of size", sizeAdvice(&streams.SizeError{Unbound: true}))
		case s.Missing && d.conf.StreamManage == "create":
			d.warn(check, "it does not exist", "start the bridge, which creates it")
		case s.Missing:
			d.fail(check, "it does not exist", "create it, or set BRIDGE_STREAM_MANAGE=create and start the bridge")
		case s.Err != nil && !s.Unfit:
			d.fail(check, reason(s.Err), cmp.Or(advice(s.Err), "see that the NATS servers run and have a leader, and try again"))
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
		d.checkPublish(ctx, js, config)
	}
}

// limitsSizes says whether an account requires a limit of size of each stream.
func limitsSizes(account *jetstream.AccountInfo) bool {
	if account.Limits.MaxBytesRequired {
		return true
	}
	for _, tier := range account.Tiers {
		if tier.Limits.MaxBytesRequired {
			return true
		}
	}
	return false
}

// publishTime is how long the doctor waits for JetStream to check all writes.
const publishTime = 3 * time.Second

func (d *doctor) checkPublish(ctx context.Context, js jetstream.JetStream, config streams.Config) {
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	err := streams.TryWrites(ctx, js, config)
	if err == nil {
		d.ok("publishing", "the bridge may write to the log and what is beside it, and remove what it retries")
		return
	}
	n := config.Names
	api, buckets := streams.APIPrefix(js), ""
	if d.conf.NatsDomain != "" {
		buckets = api
	}
	d.fail("publishing", reason(err), fmt.Sprintf("let the user publish to %[1]s, %[2]s.>, %[3]s.>, %[4]s$KV.%[5]s.>, %[4]s$KV.%[6]s.> and %[7]s>, and subscribe to _INBOX.>; "+rightsFile+" names the parts of %[7]s> that a bridge needs, such as %[7]sSTREAM.MSG.DELETE.%[8]s for retries",
		n.EventSubjects(), n.UnappliedPrefix(), n.AuditPrefix(), buckets, n.LeaseBucket(), n.NotesBucket(), api, n.UnappliedStream()))
}
