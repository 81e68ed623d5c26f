package doctor_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/doctor"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/streams"
)

var now = time.Date(2031, 5, 19, 12, 0, 0, 0, time.UTC)

const webhookSecret = "REDACT-ME-secret"

// An installation has an API with fixed responses by path, else 404, and no NATS.
type installation struct {
	doctor.Config
	responses map[string]string
	denied    []string // paths that respond 403
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	i := &installation{responses: map[string]string{
		"/api/ready":                          "",
		"/api/v1/projects":                    `{"value":[{"metadata":{"name":"vod"}}]}`,
		"/api/v1/projects/vod":                `{"metadata":{"name":"vod","id":"p-1"}}`,
		"/api/v1/projects/vod/media/jobs":     `{"value":[]}`,
		"/api/v1/projects/vod/webhook/rules":  `{"value":[]}`,
		"/api/v1/projects/vod/media/assets":   `{"value":[]}`,
		"/api/v1/projects/live/media/jobs":    `{"value":[]}`,
		"/api/v1/projects/live/webhook/rules": `{"value":[]}`,
	}}
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	token := "x." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, now.AddDate(0, 1, 0).Unix())) + ".x"
	i.Config = doctor.Config{
		Webhook: doctor.Webhook{Rule: "mkio-bridge", Secret: func() string { return webhookSecret }},
		NATS: doctor.NATS{
			Connect: func(context.Context) (jetstream.JetStream, error) { return nil, errors.New("connection refused") },
			Streams: streams.Config{Names: event.NewNames(event.DefaultPrefix), Replicas: 1, Create: true},
		},
		MKIO: doctor.MKIO{
			URL: server.URL, Token: token, Kinds: []lifecycle.Kind{lifecycle.Job, lifecycle.LiveOutput}, Claim: identity.Claim{Address: server.URL},
			Transport: func() (http.RoundTripper, error) { return http.DefaultTransport, nil },
			Client: func() (*mkio.Client, error) {
				return mkio.NewClient(mkio.ClientConfig{BaseURL: server.URL, Token: func() string { return token }, PerMinute: 100_000})
			},
		},
		Now: func() time.Time { return now },
	}
	return i
}

func (i *installation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	response, ok := i.responses[r.URL.Path]
	switch {
	case slices.Contains(i.denied, r.URL.Path):
		w.WriteHeader(http.StatusForbidden)
	case !ok:
		w.WriteHeader(http.StatusNotFound)
		response = `{"error":{"code":"x","detail":"there is none"},"status":404}`
	}
	_, _ = io.WriteString(w, response)
}

// findings returns the finding of each check.
func (i *installation) findings(t *testing.T) map[string]doctor.Finding {
	t.Helper()
	all := map[string]doctor.Finding{}
	for f := range doctor.Examine(t.Context(), i.Config) {
		if strings.Contains(f.Found, "REDACT-ME") || strings.Contains(f.Found, "BRIDGE_") {
			t.Errorf("%s contains a secret or names a setting: %s", f.Check, f.Found)
		}
		all[f.Check] = f
	}
	return all
}

// want checks one finding.
func want(t *testing.T, f doctor.Finding, level doctor.Level, codes ...doctor.Code) {
	t.Helper()
	if f.Level != level || !slices.Equal(f.Codes, codes) {
		t.Errorf("%+v, want %s %v", f, level, codes)
	}
}

// withNATS adds a NATS without streams.
func (i *installation) withNATS(t *testing.T) jetstream.JetStream {
	t.Helper()
	_, js := brokertest.Start(t).Connect()
	i.NATS.Connect = func(context.Context) (jetstream.JetStream, error) { return js, nil }
	return js
}

// Checks that depend on a failed one are skipped; the others run.
func TestUnavailablePartsSkipOnlyDependentChecks(t *testing.T) {
	all := newInstallation(t).findings(t)
	want(t, all["webhook URL"], doctor.Warning, doctor.AddressMissing)
	want(t, all["NATS"], doctor.Failed, doctor.NATSUnreachable)
	if cause := all["NATS"].Cause; cause == nil || cause.Error() != "connection refused" {
		t.Errorf("the cause is %v", cause)
	}
	want(t, all["MK.IO"], doctor.OK)
	want(t, all["API token"], doctor.OK)
	want(t, all["projects"], doctor.OK)
	want(t, all["right to read job in vod"], doctor.OK)
	want(t, all["right to read live-output in vod"], doctor.OK) // skipped
	want(t, all["webhook rule mkio-bridge in vod"], doctor.Warning, doctor.RuleAddressMissing)
	for _, check := range []string{"JetStream", "the log's MK.IO", "publishing", "delivery to the webhook URL"} {
		if f, made := all[check]; made {
			t.Errorf("unexpected finding %+v", f)
		}
	}
}

func TestTokenExpiryUsesTheConfiguredClock(t *testing.T) {
	i := newInstallation(t)
	for ahead, level := range map[time.Duration]doctor.Level{0: doctor.OK, 25 * 24 * time.Hour: doctor.Warning, 60 * 24 * time.Hour: doctor.Failed} {
		i.Now = func() time.Time { return now.Add(ahead) }
		all := i.findings(t)
		if f := all["API token"]; f.Level != level {
			t.Errorf("%s later: %+v", ahead, f)
		}
		if _, checked := all["projects"]; checked == (level == doctor.Failed) {
			t.Errorf("%s later: projects were checked: %t", ahead, checked)
		}
	}
}

func TestTheTokenIsDescribed(t *testing.T) {
	for claims, c := range map[string]struct {
		level doctor.Level
		codes []doctor.Code
		text  string
	}{
		`{"exp":2000000000,"organizationId":"org-1","type":"restricted"}`: {doctor.OK, nil, "expires 2033-05-18T03:33:20Z; organisation org-1, type restricted"},
		`{"organizationId":"org-1","type":"full-access"}`:                 {doctor.OK, nil, "no expiry in the token; organisation org-1, type full-access"},
		`{"exp":2000000000}`:                                     {doctor.OK, nil, "organisation not named in the token, type not named in the token"},
		`{"organizationId":"org-1","type":"login"}`:              {doctor.Warning, []doctor.Code{doctor.TokenShortLived}, "short-lived, no expiry in the token; organisation org-1, type login"},
		`{"exp":1000000000,"organizationId":"o","type":"login"}`: {doctor.Failed, []doctor.Code{doctor.TokenExpires}, "expired 2001-09-09T01:46:40Z; organisation o, type login"},
	} {
		i := newInstallation(t)
		i.MKIO.Token = "x." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".x"
		f := i.findings(t)["API token"]
		want(t, f, c.level, c.codes...)
		if !strings.Contains(f.Found, c.text) {
			t.Errorf("%s: %s, want %s", claims, f.Found, c.text)
		}
	}
}

// The cause of a missing right names it.
func TestMissingRightIsTheCause(t *testing.T) {
	i := newInstallation(t)
	i.denied = []string{"/api/v1/projects/vod/media/jobs"}
	f := i.findings(t)["right to read job in vod"]
	want(t, f, doctor.Failed, doctor.RightMissing)
	lacks, ok := errors.AsType[*doctor.RightError](f.Cause)
	if !ok || lacks.Right != "ams.job.get" || mkio.StatusOf(lacks) != http.StatusForbidden {
		t.Errorf("the cause is %v", f.Cause)
	}
}

// All resources of the Live API are listed with the right to live channels; one resource needs the right of its kind.
func TestBothRightsOfTheLiveAPIAreChecked(t *testing.T) {
	i := newInstallation(t)
	i.MKIO.Kinds = []lifecycle.Kind{lifecycle.LiveAPIEvent, lifecycle.LiveChannel}
	i.denied = []string{"/api/v1/projects/vod/live/search", "/api/v1/projects/vod/live/liveEvents"}
	all := i.findings(t)
	for check, needed := range map[string]string{
		"right to read live-channel,live-api-event in vod": "transform.livechannel.get",
		"right to read a single live-api-event in vod":     "transform.liveevent.get",
	} {
		f := all[check]
		if lacks, ok := errors.AsType[*doctor.RightError](f.Cause); !ok || lacks.Right != needed || f.Level == doctor.OK {
			t.Errorf("%s: %+v, cause %v", check, f, f.Cause)
		}
	}
	if _, checked := all["right to read a single live-channel in vod"]; checked {
		t.Error("one right was checked twice")
	}
}

func TestMissingProjectIsNotCheckedFurther(t *testing.T) {
	i := newInstallation(t)
	i.MKIO.Projects = []string{"nowhere", "vod", "live"}
	i.denied = []string{"/api/v1/projects/live"}
	all := i.findings(t)
	want(t, all["project nowhere"], doctor.Failed, doctor.ProjectMissing)
	want(t, all["project vod"], doctor.OK)
	want(t, all["project live"], doctor.Warning, doctor.ProjectUnreadable)
	for check, made := range map[string]bool{"right to read job in nowhere": false, "right to read job in vod": true, "right to read job in live": true} {
		if _, ok := all[check]; ok != made {
			t.Errorf("%s was checked: %t", check, ok)
		}
	}
}

func TestMissingStreamsAreAWarningIfTheBridgeCreatesThem(t *testing.T) {
	i := newInstallation(t)
	i.withNATS(t)
	all := i.findings(t)
	want(t, all["JetStream"], doctor.OK)
	want(t, all["stream MKIO_EVENTS"], doctor.Warning, doctor.StreamNotCreated)
	if _, tried := all["publishing"]; tried {
		t.Error("writes to missing streams were tried")
	}
	i.withNATS(t) // the connection was closed
	i.NATS.Streams.Create = false
	want(t, i.findings(t)["stream MKIO_EVENTS"], doctor.Failed, doctor.StreamMissing)
}

func TestCompleteInstallationIsOK(t *testing.T) {
	i := newInstallation(t)
	js := i.withNATS(t)
	if err := streams.Ensure(t.Context(), js, i.NATS.Streams); err != nil {
		t.Fatal(err)
	}
	all := i.findings(t)
	for _, check := range []string{"NATS", "JetStream", "stream MKIO_EVENTS", "stream KV_mkio_bridge", "publishing", "the log's MK.IO"} {
		want(t, all[check], doctor.OK, all[check].Codes...)
	}
	if !js.Conn().IsClosed() {
		t.Error("the connection was left open")
	}
}

// When the caller stops ranging, no further check runs.
func TestChecksEndWithTheCaller(t *testing.T) {
	i := newInstallation(t)
	requested := false
	i.MKIO.Transport = func() (http.RoundTripper, error) { requested = true; return nil, context.Canceled }
	n := 0
	for range doctor.Examine(t.Context(), i.Config) {
		n++
		break
	}
	if n != 1 || requested {
		t.Errorf("%d findings; MK.IO was requested afterwards: %t", n, requested)
	}
}

// Without the bucket of the progress of jobs an installation works: that is a warning.
func TestAMissingProgressBucketIsAWarning(t *testing.T) {
	i := newInstallation(t)
	server := brokertest.Start(t)
	_, js := server.Connect()
	i.NATS.Connect = func(context.Context) (jetstream.JetStream, error) { _, js := server.Connect(); return js, nil } // the doctor closes it
	i.NATS.Streams.Progress = true
	if err := streams.Ensure(t.Context(), js, i.NATS.Streams); err != nil {
		t.Fatal(err)
	}
	const bucket = "stream KV_mkio_progress"
	want(t, i.findings(t)[bucket], doctor.Warning, doctor.StreamNotCreated)
	i.NATS.Streams.Create = false
	all := i.findings(t)
	want(t, all[bucket], doctor.Warning, doctor.ProgressUnavailable)
	want(t, all["publishing"], doctor.OK)
	i.NATS.Streams.Create = true
	if _, err := streams.EnsureProgress(t.Context(), js, i.NATS.Streams); err != nil {
		t.Fatal(err)
	}
	all = i.findings(t)
	want(t, all[bucket], doctor.OK)
	if f, made := all["publishing progress"]; made {
		t.Errorf("unexpected finding %+v", f)
	}
}
