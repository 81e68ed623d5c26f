package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/noanswer"
)

// A Version is a NATS server's version, as far as it matters; the zero Version is one that cannot be read.
type Version struct{ major, minor int }

var (
	// OldestNATS is the oldest server that has what the streams need.
	OldestNATS = Version{2, 12}
	// OldestBounded is the oldest server that has a queue of its own for info requests, which can be bounded (info_queue_limit).
	OldestBounded = Version{2, 14}
)

func (v Version) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

// before says whether a server's version is older; false for one that cannot be read.
func (v Version) before(oldest Version) bool {
	return v != Version{} && (v.major < oldest.major || v.major == oldest.major && v.minor < oldest.minor)
}

// parseVersion reads what a server says; the zero Version where that cannot be read.
func parseVersion(text string) Version {
	var v Version
	if _, err := fmt.Sscanf(text, "%d.%d", &v.major, &v.minor); err != nil {
		return Version{}
	}
	return v
}

// connect returns JetStream; nil where NATS cannot be reached, or refuses.
func (x *examination) connect(ctx context.Context) jetstream.JetStream {
	const check = "NATS"
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	js, err := x.NATS.Connect(ctx)
	switch {
	case err == nil:
		return js
	case !x.NATS.Embedded:
		x.report(failed(check, reason(err), NATSUnreachable).withCause(err))
	case errors.Is(err, nats.ErrAuthorization):
		x.report(failed(check, reason(err), EmbeddedRefused))
	default:
		x.report(failed(check, reason(err), EmbeddedAway))
	}
	return nil
}

// checkJetStream checks the server, and all that a bridge needs of it.
func (x *examination) checkJetStream(ctx context.Context, js jetstream.JetStream) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	version := js.Conn().ConnectedServerVersion()
	x.report(judgeVersion(version))
	asked := x.Now()
	account, err := askAccount(ctx, js)
	if err != nil {
		x.report(failed("JetStream", reason(err), JetStreamAway).withCause(err))
		return
	}
	x.js = js
	x.report(x.NATS.judgeDomain(account.Domain))
	if !x.NATS.Embedded {
		x.report(judgeQueue(version, x.Now().Sub(asked)))
	}
	x.checkStreams(ctx, account)
}

func judgeVersion(version string) Finding {
	const check = "NATS"
	found := "server " + version
	switch v := parseVersion(version); {
	case v == Version{}:
		return warning(check, found+", a version that cannot be read", VersionUnknown)
	case v.before(OldestNATS):
		return failed(check, found, VersionOld)
	}
	return ok(check, found)
}

// askAccount asks JetStream about the account. It does not wait for an answer that the servers do not allow, and finds out why
// one does not come.
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

// judgeDomain says whose JetStream it is. A leaf node may have one of its own, which is another than that of the servers it
// is connected to.
func (n NATS) judgeDomain(domain string) Finding {
	const check = "JetStream"
	switch {
	case domain == "":
		return ok(check, "it is on")
	case n.Domain == "":
		return ok(check, "it is on, of domain "+domain+": that of the server itself", DomainOfServer)
	}
	return ok(check, "it is on, of domain "+domain)
}

// slowAnswer is when an answer of JetStream's API is late, as it is when its queue is full of other requests.
const slowAnswer = time.Second

// judgeQueue judges the queue of JetStream's API, which readers can fill. A server tells no client how long its queue may get:
// its version tells whether the queue can be bounded, and a late answer that it is long now.
func judgeQueue(version string, took time.Duration) Finding {
	const check = "JetStream API queue"
	switch {
	case took >= slowAnswer:
		return warning(check, fmt.Sprintf("an answer took %s: it is long, and no info_queue_limit that holds is set", took.Round(time.Millisecond)), QueueLong)
	case parseVersion(version).before(OldestBounded):
		return warning(check, fmt.Sprintf("server %s has one queue for questions and for all else, and no info_queue_limit: a burst of questions of one reader holds up the commands and what asks for streams", version), QueueShared)
	}
	return ok(check, fmt.Sprintf("an answer took %s; whether info_queue_limit is set a server does not tell, and without it 10,000 questions of a reader wait before yours", took.Round(time.Millisecond)), QueueUnknown)
}
