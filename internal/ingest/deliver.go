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

// EmptyBatch is the detail of the 400 response to an empty batch with the right secret: deliveries sent the same way would be
// accepted.
const EmptyBatch = "the batch is empty: the secret is right, and nothing is stored"

// deliver handles a POST. A request with a wrong secret gets no span, so that strangers cannot flood the traces.
func (h *Handler) deliver(w http.ResponseWriter, r *http.Request) response {
	if !authenticated(r, h.c.Secrets()) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="mkio-bridge"`)
		return response{status: http.StatusUnauthorized, unauthenticated: true, detail: "the webhook secret is missing or wrong: send it as X-Webhook-Secret, Authorization: Bearer or access_token"}
	}
	ctx, span := h.c.Tracer.Receive(r.Context(), "POST /webhooks/mkio", r.Header)
	a := h.accept(ctx, w, r)
	endDelivery(span, a)
	return a
}

// accept checks the headers and reads the body of an authenticated delivery, then commits it.
func (h *Handler) accept(ctx context.Context, w http.ResponseWriter, r *http.Request) response {
	if !jsonContent(r.Header) {
		return response{status: http.StatusUnsupportedMediaType, detail: "a delivery is JSON, not compressed: send Content-Type application/json or application/cloudevents+json"}
	}
	if r.ContentLength > h.c.MaxBody {
		w.Header().Set("Connection", "close") // or the server would read the refused body
		return h.tooLarge()
	}
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	body, reserved, err := h.readBody(http.MaxBytesReader(w, r.Body, h.c.MaxBody), *buffer)
	defer h.release(reserved)
	_, large := errors.AsType[*http.MaxBytesError](err)
	switch {
	case large:
		return h.tooLarge()
	case errors.Is(err, errBusy):
		return tooManyRequests
	case err != nil: // the body is incomplete: there is nothing to store
		return response{status: http.StatusBadRequest, detail: "the body is incomplete"}
	}
	if !h.requests.TryAcquire(1) { // after the body is read, so that slow senders do not block others
		return tooManyRequests
	}
	defer h.requests.Release(1)
	// A sender that hangs up retries; the commit goes on, so that its retry is a duplicate.
	return h.commitBody(context.WithoutCancel(ctx), body, time.Now())
}

func (h *Handler) tooLarge() response {
	return response{status: http.StatusRequestEntityTooLarge, detail: "the body is larger than " + cmp.Or(h.c.MaxBodyName, "allowed")}
}

var tooManyRequests = response{status: http.StatusTooManyRequests, detail: "too many deliveries in flight: retry later", retryAfter: retryBusy}

// commitBody commits a body: one delivery, or a batch of them.
func (h *Handler) commitBody(ctx context.Context, body []byte, received time.Time) response {
	items, err := mkio.SplitBatch(body)
	if errors.Is(err, mkio.ErrEmptyBatch) {
		return response{status: http.StatusBadRequest, detail: EmptyBatch, emptyBatch: true}
	}
	h.metrics.lastDelivery.SetToCurrentTime()
	if err != nil {
		return h.storeRejected(ctx, body, err, received)
	}
	worst := response{status: http.StatusNoContent}
	for i, item := range items {
		a := h.commitItem(ctx, item, received)
		if i == 0 || severity(a) > severity(worst) {
			worst = a
		}
		if a.status >= 500 {
			break
		}
	}
	return worst
}

// severity orders the responses to a batch's items: must be retried, malformed, unapplied, committed.
func severity(a response) int {
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

// commitItem commits one delivery.
func (h *Handler) commitItem(ctx context.Context, item mkio.Delivery, received time.Time) response {
	o, err := h.c.Decoder.Read(item, received)
	if err != nil {
		return h.storeRejected(ctx, item, err, received)
	}
	a := h.commitObservation(ctx, item, o, received)
	a.observation = &o
	return a
}

// commitObservation commits a delivery's observation, or stores the delivery as unapplied.
func (h *Handler) commitObservation(ctx context.Context, item []byte, o lifecycle.Observation, received time.Time) response {
	verdict, err := h.c.Observer.Observe(ctx, o)
	if err != nil {
		return unavailable(err)
	}
	switch verdict.Outcome {
	case lifecycle.Late:
		return h.storeUnapplied(ctx, item, lifecycle.Unapplied{Reason: lifecycle.ReasonLate, Detail: verdict.Why, Key: &o.Key, Received: received})
	case lifecycle.Conflict:
		return h.storeUnapplied(ctx, item, lifecycle.Unapplied{Reason: lifecycle.ReasonConflict, Detail: verdict.Why, Key: &o.Key, Received: received})
	}
	return response{status: http.StatusNoContent}
}

// storeRejected stores a body that is malformed or of an unknown resource.
func (h *Handler) storeRejected(ctx context.Context, body []byte, err error, received time.Time) response {
	u := lifecycle.Unapplied{Reason: lifecycle.ReasonMalformed, Detail: err.Error(), Received: received}
	if r, ok := errors.AsType[*mkio.Rejection](err); ok {
		u.Reason, u.Detail = r.Reason, r.Detail
	}
	return h.storeUnapplied(ctx, body, u)
}

// storeUnapplied stores a delivery, redacted where it parses, and returns the response to it.
func (h *Handler) storeUnapplied(ctx context.Context, body []byte, u lifecycle.Unapplied) response {
	digest := sha256.Sum256(body)
	u.Digest, u.Length, u.Body = hex.EncodeToString(digest[:]), len(body), body
	if redacted, err := h.c.Decoder.Correlation.RedactDelivery(body); err == nil {
		u.Body = redacted
	}
	if err := h.c.Unapplied.StoreUnapplied(ctx, u); err != nil {
		return unavailable(err)
	}
	if u.Reason == lifecycle.ReasonMalformed {
		return response{status: http.StatusBadRequest, detail: u.Detail}
	}
	return response{status: http.StatusAccepted, detail: string(u.Reason) + ": " + u.Detail}
}

// unavailable is the response where JetStream cannot store a delivery. The cause is logged and not sent.
func unavailable(cause error) response {
	return response{status: http.StatusServiceUnavailable, detail: "the delivery could not be stored: retry later", retryAfter: retryStorage, cause: cause}
}
