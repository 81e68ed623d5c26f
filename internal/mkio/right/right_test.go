package right_test

import (
	"net/http"
	"strings"
	"testing"

	"mkio-bridge/internal/mkio/right"
)

func TestRightsByPath(t *testing.T) {
	for path, want := range map[string]string{
		"":                           right.Project,
		"media/jobs":                 "ams.job.get",
		"media/transforms/t":         "ams.transform.get",
		"media/transforms/t/jobs":    "ams.job.get",
		"media/transforms/t/jobs/j":  "ams.job.get",
		"media/assets/a/state":       "ams.asset.get",
		"media/liveEvents/e":         "ams.liveevent.get",
		"media/liveEvents/e/state":   "ams.liveevent.get",
		"live/liveEvents/e/state":    "transform.liveevent.get",
		"live/search":                "transform.livechannel.get",
		"media/storage/s":            "infra.storage.get",
		"webhook/rules/r/events":     "webhooks.config.get",
		"live/liveEvents/e/elsewise": "transform.liveevent.get",
		"media/unknown":              "",
		"live/staticMultiviewEvents/e/scheduledOperations/o": "scheduling.event.get",
		"media/storage/s/credentials":                        "infra.storagetoken.get",
		"media/liveEvents/e/liveOutputs/o":                   "ams.liveeventoutput.get",
	} {
		var segments []string
		if path != "" {
			segments = strings.Split(path, "/")
		}
		if got := right.ToGet(segments...); got != want {
			t.Errorf("%s needs %q, want %q", path, got, want)
		}
	}
}

func TestRightsByMethod(t *testing.T) {
	rule := []string{"webhook", "rules", "r"}
	for _, c := range []struct {
		method string
		exists bool
		want   string
	}{
		{http.MethodGet, true, "webhooks.config.get"},
		{http.MethodPut, false, "webhooks.config.create"},
		{http.MethodPut, true, "webhooks.config.update"},
		{http.MethodDelete, true, "webhooks.config.delete"},
	} {
		if got := right.To(c.method, c.exists, rule...); got != c.want {
			t.Errorf("%s needs %q, want %q", c.method, got, c.want)
		}
	}
	if got := right.To(http.MethodPut, true, "elsewhere"); got != "" {
		t.Errorf("an unknown path needs %q", got)
	}
}

func TestRightsOfActions(t *testing.T) {
	for path, want := range map[string]string{
		"media/streamingEndpoints/e/start":    "ams.streamingendpoint.start",
		"media/liveEvents/e/stop":             "ams.liveevent.stop",
		"media/streamingLocators/l/listPaths": "ams.streaminglocator.create",
		"media/streamingEndpoints/e/unknown":  "",
		"media/streamingEndpoints":            "",
	} {
		if got := right.To(http.MethodPost, true, strings.Split(path, "/")...); got != want {
			t.Errorf("%s needs %q, want %q", path, got, want)
		}
	}
}
