package doctor

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/streams"
)

// checkStreams checks each stream and, if all are as required, the permissions to write.
func (x *examination) checkStreams(ctx context.Context, account *jetstream.AccountInfo) {
	writable, progress := true, false
	for _, s := range streams.Verify(ctx, x.js, x.NATS.Streams) {
		x.report(x.NATS.JudgeStream(s, account))
		writable = writable && (s.Err == nil || s.Optional)
		progress = progress || s.Optional && s.Err == nil
	}
	if x.NATS.Embedded {
		x.report(ok("publishing", "not checked: only the bridge itself may publish to its embedded server"))
		return
	}
	if writable {
		x.checkWrites(ctx)
	}
	if progress {
		x.checkProgressWrites(ctx)
	}
}

// JudgeStream judges the result of verifying a stream. account is nil if it is not known.
func (n NATS) JudgeStream(s streams.State, account *jetstream.AccountInfo) Finding {
	check := "stream " + s.Name
	switch {
	case s.Optional && s.Missing && n.Streams.Create:
		return warning(check, "does not exist", StreamNotCreated)
	case s.Optional && s.Missing:
		return warning(check, "does not exist: how far jobs are is not shown", ProgressUnavailable)
	case s.Optional && s.Err != nil:
		return warning(check, reason(s.Err)+": how far jobs are is not shown", ProgressUnavailable)
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
	if account == nil {
		return false
	}
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
	x.report(x.NATS.JudgeWrites(check, streams.APIPrefix(x.js), err))
}

// checkProgressWrites checks that the user may write to the bucket of the progress of jobs. Nothing is written.
func (x *examination) checkProgressWrites(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := streams.TryProgressWrite(ctx, x.js, x.NATS.Streams); err != nil {
		x.report(warning("publishing progress", reason(err), ProgressUnavailable))
	}
}

// JudgeWrites judges the error of a test write. api is the prefix of JetStream API subjects.
func (n NATS) JudgeWrites(check, api string, err error) Finding {
	refused := &WriteError{Names: n.Streams.Names, API: api, Err: err}
	if n.Domain != "" {
		refused.Buckets = refused.API
	}
	return failed(check, reason(err), WritesRefused).withCause(refused)
}
