package ingest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// EmptyBatch is the detail of the answer 400 to an empty batch with the right secret. It says that deliveries sent the same
// way would be taken.
const EmptyBatch = "the batch is empty: the secret is right, and nothing is stored"

// deliver takes one POST. A stranger's leaves no trace.
func (h *Handler) deliver(w http.ResponseWriter, r *http.Request) answer {
	if !authentic(r, h.c.Secrets()) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="mkio-bridge"`)
		return answer{status: http.StatusUnauthorized, stranger: true, detail: "the webhook secret is missing or wrong: send it as X-Webhook-Secret, Authorization: Bearer or access_token"}
	}
	ctx, span := h.c.Tracer.Receive(r.Context(), "POST /webhooks/mkio", r.Header)
	a := h.accept(ctx, w, r)
	endDelivery(span, a)
	return a
}

// accept takes a delivery of one who may deliver: everything up to its body.
func (h *Handler) accept(ctx context.Context, w http.ResponseWriter, r *http.Request) answer {
	if !jsonContent(r.Header) {
		return answer{status: http.StatusUnsupportedMediaType, detail: "a delivery is JSON, not compressed: send Content-Type application/json or application/cloudevents+json"}
	}
	if r.ContentLength > h.c.MaxBody {
		w.Header().Set("Connection", "close") // or the server reads what is refused
		return h.tooLarge()
	}
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	body, room, err := h.read(http.MaxBytesReader(w, r.Body, h.c.MaxBody), *buffer)
	defer h.release(room)
	_, large := errors.AsType[*http.MaxBytesError](err)
	switch {
	case large:
		return h.tooLarge()
	case errors.Is(err, errNoRoom):
		return busy
	case err != nil: // it never came whole, so there is nothing to keep
		return answer{status: http.StatusBadRequest, detail: "the body could not be read to its end"}
	}
	if !h.requests.TryAcquire(1) { // only now: a body that comes slowly keeps nobody from the log
		return busy
	}
	defer h.requests.Release(1)
	// A sender that does not wait for its answer comes again: what it told is best committed by then.
	return h.take(context.WithoutCancel(ctx), body, time.Now())
}

func (h *Handler) tooLarge() answer {
	return answer{status: http.StatusRequestEntityTooLarge, detail: "the body is larger than " + cmp.Or(h.c.MaxBodyName, "allowed")}
}

var busy = answer{status: http.StatusTooManyRequests, detail: "too many deliveries are in hand: come again", retryAfter: retryBusy}

// take commits a whole body: one delivery, or a batch of them.
func (h *Handler) take(ctx context.Context, body []byte, received time.Time) answer {
	items, err := mkio.SplitBatch(body)
	if errors.Is(err, mkio.ErrEmptyBatch) {
		return answer{status: http.StatusBadRequest, detail: EmptyBatch, probe: true}
	}
	h.metrics.last.SetToCurrentTime()
	if err != nil {
		return h.refuse(ctx, body, err, received)
	}
	worst := answer{status: http.StatusNoContent}
	for i, item := range items {
		a := h.takeOne(ctx, item, received)
		if i == 0 || severity(a) > severity(worst) {
			worst = a
		}
		if a.status >= 500 {
			break
		}
	}
	return worst
}

// severity orders the answers of a batch's items: what the sender must repeat is worst, then what it
// got wrong, then what was put aside.
func severity(a answer) int {
	switch {
	case a.status >= 500:
		return 3
	case a.status >= 400:
		return 2
	case a.status == http.StatusAccepted:
		return 1
	}
	return 0
}

// takeOne commits one delivery.
func (h *Handler) takeOne(ctx context.Context, item mkio.Delivery, received time.Time) answer {
	o, err := h.c.Decoder.Read(item, received)
	if err != nil {
		return h.refuse(ctx, item, err, received)
	}
	a := h.commit(ctx, item, o, received)
	a.about = &o
	return a
}

// commit commits what a delivery told.
func (h *Handler) commit(ctx context.Context, item []byte, o lifecycle.Observation, received time.Time) answer {
	verdict, err := h.c.Observer.Observe(ctx, o)
	if err != nil {
		return unavailable(err)
	}
	switch verdict.Outcome {
	case lifecycle.Late:
		return h.keep(ctx, item, lifecycle.Unapplied{Reason: lifecycle.ReasonLate, Detail: verdict.Why, Key: &o.Key, Received: received})
	case lifecycle.Conflict:
		return h.keep(ctx, item, lifecycle.Unapplied{Reason: lifecycle.ReasonConflict, Detail: verdict.Why, Key: &o.Key, Received: received})
	}
	return answer{status: http.StatusNoContent}
}

// refuse keeps a body that is no delivery, or one of nothing the bridge knows.
func (h *Handler) refuse(ctx context.Context, body []byte, err error, received time.Time) answer {
	u := lifecycle.Unapplied{Reason: lifecycle.ReasonMalformed, Detail: err.Error(), Received: received}
	if r, ok := errors.AsType[*mkio.Rejection](err); ok {
		u.Reason, u.Detail = r.Reason, r.Detail
	}
	return h.keep(ctx, body, u)
}

// keep puts a delivery aside and answers it.
func (h *Handler) keep(ctx context.Context, body []byte, u lifecycle.Unapplied) answer {
	digest := sha256.Sum256(body)
	u.Digest, u.Length, u.Body = hex.EncodeToString(digest[:]), len(body), body
	if redacted, err := h.c.Decoder.Correlation.RedactDelivery(body); err == nil {
		u.Body = redacted
	}
	if err := h.c.Unapplied.StoreUnapplied(ctx, u); err != nil {
		return unavailable(err)
	}
	if u.Reason == lifecycle.ReasonMalformed {
		return answer{status: http.StatusBadRequest, detail: u.Detail}
	}
	return answer{status: http.StatusAccepted, detail: string(u.Reason) + ": " + u.Detail}
}

// unavailable says that nothing is promised. The sender learns no more; the log line has the cause.
func unavailable(cause error) answer {
	return answer{status: http.StatusServiceUnavailable, detail: "the delivery could not be stored: come again", retryAfter: retryStorage, cause: cause}
}
