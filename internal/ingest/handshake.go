package ingest

import (
	"net/http"
	"slices"
	"strings"
)

// handshake answers the question of the CloudEvents webhook specification, whether a sender may deliver
// here. It consents for allowed origins only; it authenticates nobody, and never calls back
// to the address that a request may name.
func (h *Handler) handshake(w http.ResponseWriter, r *http.Request) answer {
	w.Header().Set("Allow", allowed)
	origin := r.Header.Get("WebHook-Request-Origin")
	if origin == "" {
		return answer{status: http.StatusNoContent}
	}
	if !slices.ContainsFunc(h.c.Origins, func(o string) bool { return strings.EqualFold(o, origin) }) {
		return answer{status: http.StatusForbidden, detail: "this origin may not deliver here"}
	}
	w.Header().Set("WebHook-Allowed-Origin", origin)
	if r.Header.Get("WebHook-Request-Rate") != "" {
		w.Header().Set("WebHook-Allowed-Rate", "*")
	}
	return answer{status: http.StatusOK}
}
