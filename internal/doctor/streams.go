package doctor

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/streams"
)

// checkStreams checks each stream and, if all are as required, the permissions to write.
func (x *examination) checkStreams(ctx context.Context, account *jetstream.AccountInfo) {
	writable := true
	for _, s := range streams.Verify(ctx, x.js, x.NATS.Streams) {
		x.report(x.NATS.judgeStream(s, account))
		writable = writable && s.Err == nil
	}
	if x.NATS.Embedded {
		x.report(ok("publishing", "not checked: only the bridge itself may publish to its embedded server"))
	} else if writable {
		x.checkWrites(ctx)
	}
}

func (n NATS) judgeStream(s streams.State, account *jetstream.AccountInfo) Finding {
	check := "stream " + s.Name
	switch {
	case s.Missing && n.Streams.Create && n.Streams.MaxBytes == 0 && requiresLimits(account):
		return failed(check, "does not exist, and cannot be created without a size limit", StreamUnlimited).withCause(&streams.SizeError{Unlimited: true})
	case s.Missing && n.Streams.Create:
		return warning(check, "does not exist", StreamNotCreated)
	case s.Missing:
		return failed(check, "does not exist", StreamMissing)
	case s.Err != nil && !s.Incompatible:
		return failed(check, reason(s.Err), StreamUnavailable).withCause(s.Err)
	case s.Err != nil:
		return failed(check, reason(s.Err), StreamMismatch)
	}
	return ok(check, "as the bridge needs it")
}

// requiresLimits reports whether an account requires a size limit on each stream.
func requiresLimits(account *jetstream.AccountInfo) bool {
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

// writeTimeout limits the check of all writes.
const writeTimeout = 3 * time.Second

// checkWrites checks that the user may write and delete everything that a bridge does. Nothing is written.
func (x *examination) checkWrites(ctx context.Context) {
	const check = "publishing"
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err := streams.TryWrites(ctx, x.js, x.NATS.Streams)
	if err == nil {
		x.report(ok(check, "the bridge may write to all streams and buckets, and delete retried deliveries"))
		return
	}
	refused := &WriteError{Names: x.NATS.Streams.Names, API: streams.APIPrefix(x.js), Err: err}
	if x.NATS.Domain != "" {
		refused.Buckets = refused.API
	}
	x.report(failed(check, reason(err), WritesRefused).withCause(refused))
}
