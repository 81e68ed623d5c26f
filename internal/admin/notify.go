package admin

import (
	"net/http"

	"mkio-bridge/internal/eventlog"
)

// A notifyView is the response of GET /v1/notify. It has one page.
type notifyView struct {
	Items []eventlog.NotifyRule `json:"items"`
}

// getNotify answers with the rules of mkio-bridge notify, by name: {"items": […]}. They are read from the consumers of the log,
// so any bridge can answer, and a rule is listed until its consumer is deleted.
func (a *API) getNotify(w http.ResponseWriter, r *http.Request) {
	rules, err := a.c.Events.NotifyRules(r.Context())
	if err != nil {
		a.refuseRead(w, "the rules of notifications", err)
		return
	}
	writeJSON(w, notifyView{rules})
}
