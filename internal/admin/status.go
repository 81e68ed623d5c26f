package admin

import "net/http"

// getStatus writes the [status.Status] as a JSON object. It is the same from every bridge, except for its member local. The
// response is 200 also when something is wrong, or cannot be read: the verdicts say so.
func (a *API) getStatus(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, a.c.Status.Status(r.Context()))
}
