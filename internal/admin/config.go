package admin

import "net/http"

// A configView is the response of GET /v1/config.
type configView struct {
	Local localConfig `json:"local"` // bridges may differ
}

type localConfig struct {
	Settings map[string]string `json:"settings"` // by variable
}

// getConfig answers with the effective settings of the process that answers, as mkio-bridge config --output json prints them:
// {"local": {"settings": {VARIABLE: value}}}. Secrets are masked.
func (a *API) getConfig(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, configView{localConfig{a.c.Settings()}})
}
