package ingest

import (
	"net/http"

	"mkio-bridge/internal/problem"
)

// write sends a response; errors are problem documents (RFC 9457).
func (a response) write(w http.ResponseWriter) {
	if a.retryAfter != "" {
		w.Header().Set("Retry-After", a.retryAfter)
	}
	if a.status >= 400 {
		problem.Write(w, a.status, a.detail)
		return
	}
	w.WriteHeader(a.status)
}
