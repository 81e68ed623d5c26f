package mkio

import (
	"strings"
	"testing"

	"mkio-bridge/internal/lifecycle"
)

func TestSourcesNameResources(t *testing.T) {
	tests := map[string]string{
		"/api/v1/projects/p/transforms/t/jobs/j":                                  "job p/t/j",
		"/api/v1/projects/p/media/transforms/t/jobs/j":                            "job p/t/j",
		"/api/v1/projects/p/media/transforms/t/jobs/j/":                           "job p/t/j",
		"api/v1/projects/p/media/transforms/t/jobs/j":                             "job p/t/j",
		"https://app.mk.io/api/v1/projects/p/media/assets/a":                      "asset p/a",
		"http://user:pw@elsewhere.example:81/api/v1/projects/p/assets/a":          "asset p/a",
		"//app.mk.io/api/v1/projects/p/assets/a":                                  "asset p/a",
		"/api/v1/projects/p/assets/a?x=/jobs/j#/y":                                "asset p/a",
		"/base/path/api/v1/projects/p/assets/a":                                   "asset p/a",
		"/api/ams/p/assets/a":                                                     "asset p/a",
		"https://api.mk.io/api/ams/p/transforms/t/jobs/j":                         "job p/t/j",
		"/API/V1/Projects/P/MEDIA/STREAMINGLOCATORS/L":                            "streaming-locator P/L",
		"/api/v1/projects/p/media/contentKeyPolicies/k":                           "content-key-policy p/k",
		"/api/v1/projects/p/media/liveEvents/e":                                   "live-event p/e",
		"/api/v1/projects/p/liveEvents/e":                                         "live-event p/e",
		"/api/v1/projects/p/liveEvents/e/liveOutputs/o":                           "live-output p/e/o",
		"/api/v1/projects/p/streamingEndpoints/s":                                 "streaming-endpoint p/s",
		"/api/v1/projects/p/sources/s":                                            "source p/s",
		"/api/v1/projects/p/content/c":                                            "content p/c",
		"/api/v1/projects/p/destinations/d":                                       "destination p/d",
		"/api/v1/projects/p/live/liveChannels/c":                                  "live-channel p/c",
		"/api/v1/projects/p/liveChannels/c":                                       "live-channel p/c",
		"/api/v1/projects/p/live/liveEvents/e":                                    "live-api-event p/e",
		"/api/v1/projects/p/live/staticMultiviewChannels/c":                       "static-multiview-channel p/c",
		"/api/v1/projects/p/live/staticMultiviewEvents/e":                         "static-multiview-event p/e",
		"/api/v1/projects/p/live/liveChannels/c/scheduledOperations/o":            "scheduled-operation p/live-channel/c/o",
		"/api/v1/projects/p/live/liveEvents/e/scheduledOperations/o":              "scheduled-operation p/live-api-event/e/o",
		"/api/v1/projects/p/liveEvents/e/scheduledOperations/o":                   "scheduled-operation p/live-api-event/e/o",
		"/api/v1/projects/p/live/staticMultiviewChannels/c/scheduledOperations/o": "scheduled-operation p/static-multiview-channel/c/o",
		"/api/v1/projects/p/live/staticMultiviewEvents/e/scheduledOperations/o":   "scheduled-operation p/static-multiview-event/e/o",
		"/api/v1/projects/p/media/assets/a%20b%E2%82%AC%25.c":                     "asset p/a b€%.c",
		"/api/v1/projects/p/media/assets/a b€":                                    "asset p/a b€",
		"/api/v1/projects/p/media/assets/%00%0A":                                  "asset p/\x00\n",
		"/api/v1/projects/p/media/assets/state":                                   "asset p/state",
		"/api/v1/projects/api/media/assets/api":                                   "asset api/api",
		"/api/v1/projects/p%2Eq/media/assets/...":                                 "asset p.q/...",
		"/api/v1/projects/p/media/assets/" + strings.Repeat("n", maxText):         "asset p/" + strings.Repeat("n", maxText),
		"/api/v1/projects/p/media/streamingLocators/a%3Fb%23c":                    "streaming-locator p/a?b#c",
		"/api/v1/projects/p/media/streamingLocators/x%2520y":                      "streaming-locator p/x%20y",
		"/api/v1/projects/p/media/transforms/jobs/jobs/transforms":                "job p/jobs/transforms",
	}
	for source, want := range tests {
		o, err := Decoder{}.Decode(jobDelivery(t, members{"source": source, "data.projectName": nil}), received)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		equal(t, source, o.Key.String(), want)
		// The canonical path names the same resource.
		again, err := Decoder{}.Decode(jobDelivery(t, members{"source": o.Source, "data.projectName": nil}), received)
		if err != nil || again.Key != o.Key {
			t.Errorf("%s: its canonical path %s names %v, %v", source, o.Source, again.Key, err)
		}
		if !strings.HasSuffix(o.Source, "/"+o.Subject) {
			t.Errorf("%s: subject %s is no end of %s", source, o.Subject, o.Source)
		}
	}
}

func TestRecordDecidesTheAPIOfALiveEvent(t *testing.T) {
	for want, record := range map[string]members{
		"live-event p/e":     {"properties": members{}},
		"live-api-event p/e": {"metadata": members{}},
	} {
		o, err := Decoder{}.Decode(jobDelivery(t, members{"source": "/api/v1/projects/p/liveEvents/e", "data.projectName": nil, "data.resource": record}), received)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "key", o.Key.String(), want)
	}
}

func TestSourcesWithoutAResource(t *testing.T) {
	for _, source := range []string{
		"/", "job", "urn:mkio:job:1", "/api/v1/projects/p", "/api/v1/projects/p/", "/api/v1/projects",
		"/api/v1/projects/p/media", "/api/v1/projects/p/media/assets", "/api/v1/projects/p/media/assets/",
		"/api/v1/projects/p/media/assets/a/state", "/api/v1/projects/p/media/transforms/t",
		"/api/v1/projects/p/media/jobs/j", "/api/v1/projects/p/live/assets/a", "/api/v1/projects/p/media/liveChannels/c",
		"/api/v1/projects/p/media/liveEvents/e/scheduledOperations/o", "/api/v1/projects/p/.../scheduledOperations/o",
		"/api/v1/projects/p/media/liveEvents//liveOutputs/o", "/api/v1/projects/p/media/assets/.",
		"/api/v1/projects/p/media/assets/..", "/api/v1/projects/p/media/assets/%2E%2e", "/api/v1/projects/p/media/assets/a%2Fb",
		"/api/v1/projects/p/media/assets/%FF", "/api/v1/projects/p/media/assets/%zz", "/api/v1/projects//media/assets/a",
		"/api/v1/projects/../media/assets/a", "/api/v2/projects/p/media/assets/a", "/media/assets/a",
		"/api/v1/projects/p/media/assets/" + strings.Repeat("n", maxText+1), "/api/v1/projects/p/channelInstances/c",
	} {
		_, err := Decoder{}.Decode(jobDelivery(t, members{"source": source, "data.projectName": "p"}), received)
		wantRejection(t, err, lifecycle.ReasonUnrecognised, "")
	}
}

func TestChannelInstances(t *testing.T) {
	tests := map[string]string{
		"/api/v1/projects/p/live/liveChannels/c":          "live-channel p/c",
		"/api/v1/projects/p/media/liveEvents/c":           "live-event p/c",
		"/api/v1/projects/p/channelInstances/c":           "channel-instance p/c",
		"/api/v1/projects/p/fleet/aquila/channels/c%20d/": "channel-instance p/c d",
		"/api/v1/projects/p/c":                            "channel-instance p/c",
		"/channels/c":                                     "channel-instance p/c",
		"c":                                               "channel-instance p/c",
		"/api/v1/projects/p/live/liveChannels/c/state":    "",
		"/api/v1/projects/p":                              "",
		"/api/v1/projects/other/c":                        "",
		"/api/v1/projects/p/channelInstances/..":          "",
		"https://app.mk.io/":                              "",
	}
	for source, want := range tests {
		o, err := Decoder{}.Decode(jobDelivery(t, members{"type": TypeChannelInstanceStarted, "source": source, "data.projectName": "p"}), received)
		if want == "" {
			wantRejection(t, err, lifecycle.ReasonUnrecognised, "")
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		equal(t, source, o.Key.String(), want)
	}
	_, err := Decoder{}.Decode(jobDelivery(t, members{"type": TypeChannelInstanceStarted, "source": "/channels/c", "data.projectName": nil}), received)
	wantRejection(t, err, lifecycle.ReasonUnrecognised, "project")
}

func TestPathOfEveryKind(t *testing.T) {
	namesOf := map[int][]string{1: {"a b"}, 2: {"a b", "c ?"}, 3: {"live-channel", "a b", "c ?"}}
	for _, kind := range lifecycle.Kinds() {
		names := namesOf[kind.Depth()]
		key, err := lifecycle.NewKey(kind, "p q", names...)
		if err != nil {
			t.Fatal(err)
		}
		path, inside, ok := Path(key)
		if !ok || !strings.HasPrefix(path, "/api/v1/projects/p%20q/") || !strings.HasSuffix(path, "/"+inside) {
			t.Errorf("%s: path %s, inside %s, %v", key, path, inside, ok)
		}
	}
	for _, names := range [][]string{{"asset", "a", "o"}, {"live-channel", "..", "o"}, {"live-channel", "a", "o/p"}} {
		key, err := lifecycle.NewKey(lifecycle.ScheduledOperation, "p", names...)
		if err != nil {
			t.Fatal(err)
		}
		if path, _, ok := Path(key); ok {
			t.Errorf("%s has the path %s", key, path)
		}
	}
	key, err := lifecycle.NewKey(lifecycle.Asset, "..", "a")
	if err != nil {
		t.Fatal(err)
	}
	if path, _, ok := Path(key); ok {
		t.Errorf("%s has the path %s", key, path)
	}
}
