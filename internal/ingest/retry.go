package ingest

import (
	"context"
	"errors"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// RetryOptions limit what a retry writes.
type RetryOptions struct {
	DryRun bool // return the verdict, write nothing
	Keep   bool // never delete the unapplied delivery, even if the log holds it now
}

// A RetryResult is the outcome of retrying an unapplied delivery.
type RetryResult struct {
	Outcome string // an outcome of lifecycle, a reason, or OutcomeCut
	Why     string
	Event   bool // the delivery became an event
	Deleted bool // the log holds it, as an event or a duplicate of one, and it was deleted from MKIO_UNAPPLIED
}

// OutcomeCut is the outcome of a body that was stored truncated. No retry can apply it.
const OutcomeCut = "cut"

// Retry decides an unapplied delivery again, like one that arrives, with two differences: its arrival is no evidence
// ([lifecycle.Observation.Retried]), and it is not stored a second time. What is stored as one body is one delivery: a batch
// that could not be parsed remains malformed.
//
// sequence is its sequence in MKIO_UNAPPLIED, from where it is deleted once the log holds it. When Retry returns without an
// error, the event is in the log, or the result says why there is none. After an error it may be retried again.
func (h *Handler) Retry(ctx context.Context, sequence uint64, u lifecycle.Unapplied, options RetryOptions) (RetryResult, error) {
	result, recorded, err := h.decide(ctx, u, options.DryRun)
	if err != nil || !recorded || options.DryRun || options.Keep {
		return result, err
	}
	// The event is committed, and only now is the delivery deleted. After a crash in between, the delivery is still stored:
	// the next retry finds a duplicate and deletes it. A client that disconnects does not stop the deletion.
	if err := h.c.Deleter.DeleteUnapplied(context.WithoutCancel(ctx), sequence); err != nil {
		return RetryResult{}, err
	}
	result.Deleted = true
	return result, nil
}

// decide commits a delivery's observation, or with dry previews the verdict. recorded reports whether the log holds it then.
func (h *Handler) decide(ctx context.Context, u lifecycle.Unapplied, dry bool) (result RetryResult, recorded bool, err error) {
	ctx, span := h.c.Tracer.Root(ctx, "retry")
	defer func() { endRetry(span, result, err) }()
	if u.Cut() {
		return RetryResult{Outcome: OutcomeCut, Why: "the stored body is truncated"}, false, nil
	}
	o, err := h.c.Decoder.Decode(u.Body, u.Received)
	if r, ok := errors.AsType[*mkio.Rejection](err); ok {
		return RetryResult{Outcome: string(r.Reason), Why: r.Detail}, false, nil
	}
	if err != nil {
		return RetryResult{}, false, err
	}
	o.Retried = true
	decide := h.c.Observer.Observe
	if dry {
		decide = h.c.Previewer.Preview
	}
	// A client that disconnects does not stop the commit.
	verdict, err := decide(context.WithoutCancel(ctx), o)
	if err != nil {
		return RetryResult{}, false, err
	}
	recorded = verdict.Outcome != lifecycle.Late && verdict.Outcome != lifecycle.Conflict
	return RetryResult{Outcome: verdict.Outcome.String(), Why: verdict.Why, Event: verdict.News() && !dry}, recorded, nil
}
