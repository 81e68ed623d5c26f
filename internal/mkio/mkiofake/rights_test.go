package mkiofake

import (
	"net/http"
	"testing"
)

// Each request needs the right that MK.IO documents for it; live/search that of live channels alone.
func TestEachRequestNeedsItsRight(t *testing.T) {
	m := New(Config{})
	const base = "/api/v1/projects/" + VOD
	for _, c := range []struct {
		method, path, granted string
		want                  int
	}{
		{http.MethodGet, base + "/live/search", "transform.livechannel.get", http.StatusOK},
		{http.MethodGet, base + "/live/search", "transform.liveevent.get", http.StatusForbidden},
		{http.MethodGet, base + "/live/liveEvents", "transform.livechannel.get", http.StatusForbidden},
		{http.MethodGet, base + "/live/liveEvents", "transform.liveevent.get", http.StatusOK},
		{http.MethodGet, base + "/media/jobs", "ams.job.get", http.StatusOK},
		{http.MethodGet, base + "/media/transforms/t/jobs", "ams.transform.get", http.StatusForbidden},
		{http.MethodGet, base, "core.project.get", http.StatusOK},
		{http.MethodGet, base, "ams.job.get", http.StatusForbidden},
		{http.MethodGet, base + "/webhook/rules", "webhooks.config.get", http.StatusOK},
		{http.MethodPut, base + "/webhook/rules/r", "webhooks.config.update", http.StatusForbidden},
		{http.MethodDelete, base + "/webhook/rules/r", "webhooks.config.delete", http.StatusNoContent},
	} {
		m.Grant(VOD, c.granted)
		if got, _, body := request(t, m, c.method, c.path, ""); got != c.want {
			t.Errorf("%s %s with %s: %d, want %d: %s", c.method, c.path, c.granted, got, c.want, body)
		}
	}
	m.Grant(VOD, "ams.job.get")
	if got := rowNames(getJSON(t, m, "/api/v1/projects")); got != Live {
		t.Errorf("the token can see %s", got)
	}
	m.Grant(Live, "ams.job.get")
	if got, _, _ := request(t, m, http.MethodGet, "/api/v1/projects", ""); got != http.StatusForbidden {
		t.Errorf("%d without the right to any project", got)
	}
}
