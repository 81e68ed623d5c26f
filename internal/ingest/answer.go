package ingest

import (
	"net/http"

	"mkio-bridge/internal/problem"
)

// write sends an answer; errors are problem documents.
func (a answer) write(w http.ResponseWriter) {
	if a.retryAfter != "" {
		w.Header().Set("Retry-After", a.retryAfter)
	}
	if a.status >= 400 {
		problem.Write(w, a.status, a.detail)
		return
	}
	w.WriteHeader(a.status)
}
