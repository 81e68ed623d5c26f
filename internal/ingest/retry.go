package ingest

import (
	"context"
	"errors"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// RetryOptions say how far a retry goes.
type RetryOptions struct {
	DryRun bool // decide, and write nothing
	Keep   bool // delete nothing, also where the log holds it by now
}

// A RetryResult is what became of a delivery that was stored as unapplied.
type RetryResult struct {
	Outcome string // an outcome of lifecycle, a reason, or OutcomeCut
	Why     string
	Event   bool // it became one
	Deleted bool // the log holds it, as an event or the repeat of one, and it is stored no longer
}

// OutcomeCut is for a body whose end was not kept. No retry makes anything of it.
const OutcomeCut = "cut"

// Retry gives a delivery that was put aside to the same decision as one that comes, with two differences: that it
// comes now is no evidence ([lifecycle.Observation.Retried]), and it is not kept a second time. What is kept as one
// body is one delivery: a batch that could not be read stays what it is.
//
// sequence is its place in MKIO_UNAPPLIED, from where it is deleted when the log holds it. When Retry returns without an
// error, the event is in the log, or the result says why there is none. After an error it may be retried again.
func (h *Handler) Retry(ctx context.Context, sequence uint64, u lifecycle.Unapplied, options RetryOptions) (RetryResult, error) {
	became, recorded, err := h.decideAgain(ctx, u, options.DryRun)
	if err != nil || !recorded || options.DryRun || options.Keep {
		return became, err
	}
	// The event is committed, and only now is the delivery deleted. A crash in between leaves it where it is: the next
	// retry finds a repeat, and deletes it. Who asked may leave; what was begun is best finished.
	if err := h.c.Deleter.DeleteUnapplied(context.WithoutCancel(ctx), sequence); err != nil {
		return RetryResult{}, err
	}
	became.Deleted = true
	return became, nil
}

// decideAgain commits what a delivery says, or with dry only decides. recorded says whether the log holds it then.
func (h *Handler) decideAgain(ctx context.Context, u lifecycle.Unapplied, dry bool) (became RetryResult, recorded bool, err error) {
	ctx, span := h.c.Tracer.Root(ctx, "retry")
	defer func() { endRetry(span, became, err) }()
	if u.Cut() {
		return RetryResult{Outcome: OutcomeCut, Why: "the body was too large to be kept whole"}, false, nil
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
	// Who asked may leave; what was begun is best finished.
	verdict, err := decide(context.WithoutCancel(ctx), o)
	if err != nil {
		return RetryResult{}, false, err
	}
	recorded = verdict.Outcome != lifecycle.Late && verdict.Outcome != lifecycle.Conflict
	return RetryResult{Outcome: verdict.Outcome.String(), Why: verdict.Why, Event: verdict.News() && !dry}, recorded, nil
}
