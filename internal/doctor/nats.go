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

// A Version is the major and minor version of a NATS server; zero if it cannot be parsed.
type Version struct{ major, minor int }

var (
	// OldestNATS is the oldest server with the features that the streams need.
	OldestNATS = Version{2, 12}
	// OldestBounded is the oldest server with a separate, limited queue for info requests (info_queue_limit).
	OldestBounded = Version{2, 14}
)

func (v Version) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

// before reports whether a version is older than another; false for the zero Version.
func (v Version) before(oldest Version) bool {
	return v != Version{} && (v.major < oldest.major || v.major == oldest.major && v.minor < oldest.minor)
}

// parseVersion parses a server's version.
func parseVersion(text string) Version {
	var v Version
	if _, err := fmt.Sscanf(text, "%d.%d", &v.major, &v.minor); err != nil {
		return Version{}
	}
	return v
}

// connect returns JetStream; nil if NATS cannot be reached, or refuses the connection.
func (x *examination) connect(ctx context.Context) jetstream.JetStream {
	const check = "NATS"
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
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
		x.report(failed(check, reason(err), EmbeddedNotRunning))
	}
	return nil
}

// checkJetStream checks the server, JetStream and the streams.
func (x *examination) checkJetStream(ctx context.Context, js jetstream.JetStream) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	version := js.Conn().ConnectedServerVersion()
	x.report(judgeVersion(version))
	start := x.Now()
	account, err := accountInfo(ctx, js)
	if err != nil {
		x.report(failed("JetStream", reason(err), JetStreamUnavailable).withCause(err))
		return
	}
	x.js = js
	x.report(x.NATS.judgeDomain(account.Domain))
	if !x.NATS.Embedded {
		x.report(judgeQueue(version, x.Now().Sub(start)))
	}
	x.checkStreams(ctx, account)
}

func judgeVersion(version string) Finding {
	const check = "NATS"
	found := "server " + version
	switch v := parseVersion(version); {
	case v == Version{}:
		return warning(check, found+", an unknown version", VersionUnknown)
	case v.before(OldestNATS):
		return failed(check, found, VersionOld)
	}
	return ok(check, found)
}

// accountInfo requests JetStream's account info. It does not wait for a response that permissions prevent, and its error has
// the reason for a missing response.
func accountInfo(ctx context.Context, js jetstream.JetStream) (*jetstream.AccountInfo, error) {
	const about = ".INFO"
	requestCtx, stop := noanswer.CancelWhenForbidden(ctx, js.Conn(), about)
	defer stop()
	info, err := js.AccountInfo(requestCtx)
	if err != nil {
		return nil, noanswer.Explain(ctx, js, err, about)
	}
	return info, nil
}

// judgeDomain reports the domain of JetStream. A leaf node may have a JetStream of its own, in another domain than the
// servers that it is connected to.
func (n NATS) judgeDomain(domain string) Finding {
	const check = "JetStream"
	switch {
	case domain == "":
		return ok(check, "enabled")
	case n.Domain == "":
		return ok(check, "enabled, in domain "+domain+", which is the server's own", DomainNotConfigured)
	}
	return ok(check, "enabled, in domain "+domain)
}

// slowResponse is the time from which a response of JetStream's API counts as delayed by other requests in its queue.
const slowResponse = time.Second

// judgeQueue judges the queue of JetStream's API, which readers can fill. A server does not report its queue limit: its
// version shows whether it can have one, and a slow response that the queue is long now.
func judgeQueue(version string, took time.Duration) Finding {
	const check = "JetStream API queue"
	switch {
	case took >= slowResponse:
		return warning(check, fmt.Sprintf("slow: a response took %s, and no effective info_queue_limit is set", took.Round(time.Millisecond)), QueueLong)
	case parseVersion(version).before(OldestBounded):
		return warning(check, fmt.Sprintf("server %s has one queue for info and other requests, and no info_queue_limit: a burst of info requests from one reader delays commands and stream requests", version), QueueShared)
	}
	return ok(check, fmt.Sprintf("a response took %s; servers do not report info_queue_limit, and without it up to 10,000 requests of a reader are served before yours", took.Round(time.Millisecond)), QueueUnknown)
}
