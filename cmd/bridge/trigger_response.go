package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/printable"
)

// A triggerResponse is a bridge's response to a delivery.
type triggerResponse struct {
	status     int
	detail     string // of an error
	retryAfter string
}

func readTriggerResponse(r *http.Response) triggerResponse {
	var problem struct{ Detail string }
	_ = json.NewDecoder(io.LimitReader(r.Body, maxResponse)).Decode(&problem) // a success has no body, and not only a bridge may respond
	return triggerResponse{r.StatusCode, problem.Detail, r.Header.Get("Retry-After")}
}

// explain prints what the response means for a resource's delivery, and the command that shows what became of it. It returns
// an error unless the delivery is in the log.
func (r triggerResponse) explain(out io.Writer, key lifecycle.Key) error {
	if r.status == http.StatusNoContent {
		_, err := fmt.Fprintf(out, "204 No Content: the log has it, as a new event or from before. Show it:\n  %s events --kind %s --project %s --name %s\n",
			invocation(), key.Kind, shellWord(key.Project), shellWord(key.Name()))
		return err
	}
	err := fmt.Errorf("the bridge responded %d %s", r.status, http.StatusText(r.status))
	if r.detail != "" {
		err = fmt.Errorf("%w (%s)", err, printable.Sentence(r.detail))
	}
	return fmt.Errorf("%w: %s", err, r.meaning())
}

// meaning returns what a response other than 204 means, and what to do.
func (r triggerResponse) meaning() string {
	switch r.status {
	case http.StatusAccepted:
		return "it is stored, but became no event. Show why:\n  " + invocation() + " unapplied list --since 1m"
	case http.StatusUnauthorized:
		return "nothing is stored. Set --secret, or BRIDGE_WEBHOOK_SECRETS, to a secret of that bridge"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return "this is not a bridge's address for deliveries: set --url to that of its webhook listener (BRIDGE_LISTEN), not of its admin listener"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return "the bridge is overloaded, or JetStream cannot store it now; nothing is stored. Retry after " + r.retryAfter + " s"
	case http.StatusBadRequest:
		return "the bridge takes it for malformed. Show how it is stored:\n  " + invocation() + " unapplied list --reason malformed --since 1m"
	}
	return "this is not the response of a bridge that can take deliveries: check --url and the bridge's log"
}
