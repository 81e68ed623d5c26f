package ingest

import (
	"context"
	"errors"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// A Retried is what became of a delivery that had been put aside.
type Retried struct {
	Outcome string // an outcome of lifecycle, a reason, or "cut"
	Why     string
	Event   bool // it became one
	Told    bool // the log tells it, so that it need not be kept any longer
}

// outcomeCut is for a body whose end was not kept.
const outcomeCut = "cut"

// Retry gives a delivery that was put aside to the same decision as one that comes, with two differences: that it
// comes now is no evidence ([lifecycle.Observation.Retried]), and it is not kept a second time. What is kept as one
// body is one delivery: a batch that could not be read stays what it is. With dry nothing is written.
//
// When it returns without an error, the event is in the log, or Retried says why there is none. After an error it may
// be retried again.
func (h *Handler) Retry(ctx context.Context, u lifecycle.Unapplied, dry bool) (became Retried, err error) {
	ctx, span := h.c.Tracer.Root(ctx, "retry")
	defer func() { endRetry(span, became, err) }()
	if u.Cut() {
		return Retried{Outcome: outcomeCut, Why: "the body was too large to be kept whole"}, nil
	}
	o, err := h.c.Decoder.Decode(u.Body, u.Received)
	if r, ok := errors.AsType[*mkio.Rejection](err); ok {
		return Retried{Outcome: string(r.Reason), Why: r.Detail}, nil
	}
	if err != nil {
		return Retried{}, err
	}
	o.Retried = true
	decide := h.c.Observer.Observe
	if dry {
		decide = h.c.Weigher.Weigh
	}
	// Who asked may leave; what was begun is best finished.
	verdict, err := decide(context.WithoutCancel(ctx), o)
	if err != nil {
		return Retried{}, err
	}
	told := verdict.Outcome != lifecycle.Late && verdict.Outcome != lifecycle.Conflict
	return Retried{Outcome: verdict.Outcome.String(), Why: verdict.Why, Event: verdict.News() && !dry, Told: told && !dry}, nil
}
