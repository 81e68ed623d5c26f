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

// RetryResult is the response to a retry of one unapplied delivery.
type RetryResult struct {
	Sequence uint64 `json:"sequence"`
	Outcome  string `json:"outcome"`
	Why      string `json:"why"`
	Applied  bool   `json:"applied"` // the retry made it an event
	Removed  bool   `json:"removed"` // the retry deleted it from the unapplied deliveries
}

// lookupTimeout limits the reading of the unapplied delivery, not the retry.
const lookupTimeout = 5 * time.Second

// retryUnapplied decides again about an unapplied delivery, as if it arrived now. Only the bridge writes the log: that is
// why mkio-bridge unapplied retry sends this request instead of writing itself.
func (a *API) retryUnapplied(w http.ResponseWriter, r *http.Request) {
	sequence, err := strconv.ParseUint(r.PathValue("sequence"), 10, 64)
	if err != nil || sequence == 0 {
		problem.Write(w, http.StatusBadRequest, fmt.Sprintf("%q is not a sequence", r.PathValue("sequence")))
		return
	}
	options, err := parseRetryOptions(r.URL.Query())
	if err != nil {
		problem.Write(w, http.StatusBadRequest, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), lookupTimeout)
	defer cancel()
	unapplied, ok, err := a.c.Events.UnappliedAt(ctx, sequence)
	switch {
	case errors.Is(err, eventlog.ErrNotUnapplied):
		problem.Write(w, http.StatusUnprocessableEntity, err.Error())
	case err != nil:
		a.refuseRetry(w, sequence, err)
	case !ok:
		problem.Write(w, http.StatusNotFound, fmt.Sprintf("%s has no message %d: it was retried or deleted, or never existed", a.c.Events.Names().UnappliedStream(), sequence))
	default:
		a.retry(w, r, unapplied, options)
	}
}

// retry calls the [Retrier], and writes the result.
func (a *API) retry(w http.ResponseWriter, r *http.Request, unapplied eventlog.Unapplied, options ingest.RetryOptions) {
	result, err := a.c.Retrier.Retry(r.Context(), unapplied.Sequence, unapplied.Delivery(), options)
	if err != nil {
		a.refuseRetry(w, unapplied.Sequence, err)
		return
	}
	response := RetryResult{unapplied.Sequence, result.Outcome, result.Why, result.Event, result.Deleted}
	a.c.Log.Info("unapplied delivery retried", "sequence", response.Sequence, "outcome", response.Outcome, "why", response.Why,
		"applied", response.Applied, "removed", response.Removed, "dry_run", options.DryRun)
	writeJSON(w, response)
}

// refuseRetry writes the response to a failed retry, or a failed read before it. The client may repeat either.
func (a *API) refuseRetry(w http.ResponseWriter, sequence uint64, err error) {
	a.c.Log.Error("unapplied delivery cannot be retried", "sequence", sequence, "error", err)
	w.Header().Set("Retry-After", "5")
	problem.Write(w, http.StatusServiceUnavailable, fmt.Sprintf("message %d could not be retried, or could not be deleted after the retry: repeat the request", sequence))
}

// parseRetryOptions parses the parameters of a retry.
func parseRetryOptions(values url.Values) (o ingest.RetryOptions, err error) {
	err = readParameters(values, map[string]func(string) error{"dryRun": parsed(&o.DryRun, parseBool), "keep": parsed(&o.Keep, parseBool)})
	return o, err
}

func parseBool(text string) (bool, error) {
	if text != "true" && text != "false" {
		return false, fmt.Errorf("%q must be true or false", text)
	}
	return text == "true", nil
}
