package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/ingest"
	"mkio-bridge/internal/problem"
)

// A retried is the answer to a retry of one kept delivery.
type retried struct {
	Sequence uint64 `json:"sequence"`
	Outcome  string `json:"outcome"`
	Why      string `json:"why"`
	Applied  bool   `json:"applied"` // it became an event now
	Removed  bool   `json:"removed"` // it is not kept any longer
}

// retryFlags are the parameters of a retry.
type retryFlags struct {
	dryRun bool // decide, and write nothing
	keep   bool // keep it, also when the log tells it
}

// sameOrigin refuses what a page of elsewhere has a browser send: on loopback no token keeps it out.
func sameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem.Write(w, http.StatusForbidden, "a page of another origin may not ask for this")
	}))
	return protection.Handler(next)
}

// keptTime bounds the look for what is kept.
const keptTime = 5 * time.Second

// retryUnapplied gives a kept delivery to the same decision as one that comes. Only the bridge writes the log, so
// that a retry is a request to it, and can do no more than a delivery.
func (b *bridge) retryUnapplied(w http.ResponseWriter, r *http.Request) {
	sequence, err := strconv.ParseUint(r.PathValue("sequence"), 10, 64)
	if err != nil || sequence == 0 {
		problem.Write(w, http.StatusBadRequest, fmt.Sprintf("%q is no sequence", r.PathValue("sequence")))
		return
	}
	flags, err := retryFlagsOf(r.URL.Query())
	if err != nil {
		problem.Write(w, http.StatusBadRequest, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), keptTime)
	defer cancel()
	kept, ok, err := b.events.KeptAt(ctx, sequence)
	switch {
	case errors.Is(err, eventlog.ErrNotKept):
		problem.Write(w, http.StatusUnprocessableEntity, err.Error())
	case err != nil:
		b.refuseRetry(w, sequence, err)
	case !ok:
		problem.Write(w, http.StatusNotFound, fmt.Sprintf("%s has no message %d: it was retried, or removed, or never was", b.names.UnappliedStream(), sequence))
	default:
		b.retry(w, r, kept, flags)
	}
}

// retry has a kept delivery decided again, and answers what became of it.
func (b *bridge) retry(w http.ResponseWriter, r *http.Request, kept eventlog.Kept, flags retryFlags) {
	became, err := b.ingest.Retry(r.Context(), kept.Sequence, kept.Delivery(), ingest.RetryOptions{DryRun: flags.dryRun, Keep: flags.keep})
	if err != nil {
		b.refuseRetry(w, kept.Sequence, err)
		return
	}
	answer := retried{kept.Sequence, became.Outcome, became.Why, became.Event, became.Deleted}
	b.log.Info("a kept delivery was retried", "sequence", answer.Sequence, "outcome", answer.Outcome, "why", answer.Why,
		"applied", answer.Applied, "removed", answer.Removed, "dry_run", flags.dryRun)
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(answer) // the reader may be gone
}

func (b *bridge) refuseRetry(w http.ResponseWriter, sequence uint64, err error) {
	b.log.Error("a kept delivery could not be retried", "sequence", sequence, "error", err)
	w.Header().Set("Retry-After", "5")
	problem.Write(w, http.StatusServiceUnavailable, fmt.Sprintf("message %d could not be retried, or not be removed after it: retry it again", sequence))
}

// retryFlagsOf reads the parameters.
func retryFlagsOf(values url.Values) (f retryFlags, err error) {
	err = readParameters(values, map[string]func(string) error{"dryRun": boolParameter(&f.dryRun), "keep": boolParameter(&f.keep)})
	return f, err
}

func boolParameter(into *bool) func(string) error {
	return func(v string) error {
		if v != "true" && v != "false" {
			return fmt.Errorf("%q must be true or false", v)
		}
		*into = v == "true"
		return nil
	}
}
