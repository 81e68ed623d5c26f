package admin

import (
	"context"
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

// RetryResult is the answer to a retry of one unapplied delivery.
type RetryResult struct {
	Sequence uint64 `json:"sequence"`
	Outcome  string `json:"outcome"`
	Why      string `json:"why"`
	Applied  bool   `json:"applied"` // it became an event now
	Removed  bool   `json:"removed"` // it was deleted from the unapplied deliveries
}

// lookupTime bounds the reading of the unapplied delivery, not the retry.
const lookupTime = 5 * time.Second

// retryUnapplied has an unapplied delivery decided again, as if it came now. Only the bridge writes the log: that is why a
// command that retries sends this request instead of writing itself.
func (a *API) retryUnapplied(w http.ResponseWriter, r *http.Request) {
	sequence, err := strconv.ParseUint(r.PathValue("sequence"), 10, 64)
	if err != nil || sequence == 0 {
		problem.Write(w, http.StatusBadRequest, fmt.Sprintf("%q is no sequence", r.PathValue("sequence")))
		return
	}
	options, err := retryOptionsOf(r.URL.Query())
	if err != nil {
		problem.Write(w, http.StatusBadRequest, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), lookupTime)
	defer cancel()
	kept, ok, err := a.c.Events.KeptAt(ctx, sequence)
	switch {
	case errors.Is(err, eventlog.ErrNotUnapplied):
		problem.Write(w, http.StatusUnprocessableEntity, err.Error())
	case err != nil:
		a.refuseRetry(w, sequence, err)
	case !ok:
		problem.Write(w, http.StatusNotFound, fmt.Sprintf("%s has no message %d: it was retried, or removed, or never was", a.c.Events.Names().UnappliedStream(), sequence))
	default:
		a.retry(w, r, kept, options)
	}
}

// retry gives the delivery to the [Retrier], and answers what became of it.
func (a *API) retry(w http.ResponseWriter, r *http.Request, kept eventlog.Unapplied, options ingest.RetryOptions) {
	became, err := a.c.Retrier.Retry(r.Context(), kept.Sequence, kept.Delivery(), options)
	if err != nil {
		a.refuseRetry(w, kept.Sequence, err)
		return
	}
	answer := RetryResult{kept.Sequence, became.Outcome, became.Why, became.Event, became.Deleted}
	a.c.Log.Info("a kept delivery was retried", "sequence", answer.Sequence, "outcome", answer.Outcome, "why", answer.Why,
		"applied", answer.Applied, "removed", answer.Removed, "dry_run", options.DryRun)
	writeJSON(w, answer)
}

// refuseRetry answers that a retry failed, or the reading before it; either may be repeated.
func (a *API) refuseRetry(w http.ResponseWriter, sequence uint64, err error) {
	a.c.Log.Error("a kept delivery could not be retried", "sequence", sequence, "error", err)
	w.Header().Set("Retry-After", "5")
	problem.Write(w, http.StatusServiceUnavailable, fmt.Sprintf("message %d could not be retried, or not be removed after it: retry it again", sequence))
}

// retryOptionsOf reads the parameters of a retry.
func retryOptionsOf(values url.Values) (o ingest.RetryOptions, err error) {
	err = readParameters(values, map[string]func(string) error{"dryRun": parsed(&o.DryRun, parseBool), "keep": parsed(&o.Keep, parseBool)})
	return o, err
}

func parseBool(text string) (bool, error) {
	if text != "true" && text != "false" {
		return false, fmt.Errorf("%q must be true or false", text)
	}
	return text == "true", nil
}
