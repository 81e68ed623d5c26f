package ingest

import (
	"net/http"
	"slices"
	"strings"
)

// handshake responds to the validation request of the CloudEvents webhook specification (may this origin deliver here?). It
// consents for configured origins only, authenticates nobody, and never calls the callback URL that a request may name.
func (h *Handler) handshake(w http.ResponseWriter, r *http.Request) response {
	w.Header().Set("Allow", allowed)
	origin := r.Header.Get("WebHook-Request-Origin")
	if origin == "" {
		return response{status: http.StatusNoContent}
	}
	if !slices.ContainsFunc(h.c.Origins, func(o string) bool { return strings.EqualFold(o, origin) }) {
		return response{status: http.StatusForbidden, detail: "this origin is not allowed to deliver here"}
	}
	w.Header().Set("WebHook-Allowed-Origin", origin)
	if r.Header.Get("WebHook-Request-Rate") != "" {
		w.Header().Set("WebHook-Allowed-Rate", "*")
	}
	return response{status: http.StatusOK}
}
