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

const theSecret = "REDACT-ME-secret"

// An installation is one whose API answers addresses with texts, others with 404, and whose NATS is away.
type installation struct {
	doctor.Config
	answers map[string]string
	denied  []string // addresses
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	i := &installation{answers: map[string]string{
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
		Webhook: doctor.Webhook{Rule: "mkio-bridge", Secret: func() string { return theSecret }},
		NATS: doctor.NATS{
			Connect: func(context.Context) (jetstream.JetStream, error) { return nil, errors.New("nobody is there") },
			Streams: streams.Config{Names: event.NewNames(event.DefaultPrefix), Replicas: 1, Create: true},
		},
		MKIO: doctor.MKIO{
			URL: server.URL, Token: token, Kinds: []lifecycle.Kind{lifecycle.Job, lifecycle.LiveOutput}, Claim: identity.Claim{Address: server.URL},
			Way: func() (http.RoundTripper, error) { return http.DefaultTransport, nil },
			Client: func() (*mkio.Client, error) {
				return mkio.NewClient(mkio.ClientConfig{BaseURL: server.URL, Token: func() string { return token }, PerMinute: 100_000})
			},
		},
		Now: func() time.Time { return now },
	}
	return i
}

func (i *installation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, ok := i.answers[r.URL.Path]
	switch {
	case slices.Contains(i.denied, r.URL.Path):
		w.WriteHeader(http.StatusForbidden)
	case !ok:
		w.WriteHeader(http.StatusNotFound)
		answer = `{"error":{"code":"x","detail":"there is none"},"status":404}`
	}
	_, _ = io.WriteString(w, answer)
}

// found is what an examination finds of each check.
func (i *installation) found(t *testing.T) map[string]doctor.Finding {
	t.Helper()
	all := map[string]doctor.Finding{}
	for f := range doctor.Examine(t.Context(), i.Config) {
		if strings.Contains(f.Found, "REDACT-ME") || strings.Contains(f.Found, "BRIDGE_") {
			t.Errorf("%s shows a secret or names a setting: %s", f.Check, f.Found)
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

// withNATS has a NATS without streams.
func (i *installation) withNATS(t *testing.T) jetstream.JetStream {
	t.Helper()
	_, js := brokertest.Start(t).Connect()
	i.NATS.Connect = func(context.Context) (jetstream.JetStream, error) { return js, nil }
	return js
}

// What stands on a check that failed is not made; the others are.
func TestOnePartThatIsAwayKeepsNoOtherFromBeingChecked(t *testing.T) {
	all := newInstallation(t).found(t)
	want(t, all["webhook URL"], doctor.Warning, doctor.AddressMissing)
	want(t, all["NATS"], doctor.Failed, doctor.NATSUnreachable)
	if cause := all["NATS"].Cause; cause == nil || cause.Error() != "nobody is there" {
		t.Errorf("the cause is %v", cause)
	}
	want(t, all["MK.IO"], doctor.OK)
	want(t, all["API token"], doctor.OK)
	want(t, all["projects"], doctor.OK)
	want(t, all["right to read job in vod"], doctor.OK)
	want(t, all["right to read live-output in vod"], doctor.OK) // not tried
	want(t, all["webhook rule mkio-bridge in vod"], doctor.Warning, doctor.RuleAddressMissing)
	for _, check := range []string{"JetStream", "the log's MK.IO", "publishing", "delivery to the webhook URL"} {
		if f, made := all[check]; made {
			t.Errorf("it finds %+v", f)
		}
	}
}

func TestTheTokenIsJudgedByTheClockThatIsGiven(t *testing.T) {
	i := newInstallation(t)
	for ahead, level := range map[time.Duration]doctor.Level{0: doctor.OK, 25 * 24 * time.Hour: doctor.Warning, 60 * 24 * time.Hour: doctor.Failed} {
		i.Now = func() time.Time { return now.Add(ahead) }
		all := i.found(t)
		if f := all["API token"]; f.Level != level {
			t.Errorf("%s later: %+v", ahead, f)
		}
		if _, asked := all["projects"]; asked == (level == doctor.Failed) {
			t.Errorf("%s later: projects were asked for: %t", ahead, asked)
		}
	}
}

// A missing right comes with its name.
func TestAMissingRightIsTheCause(t *testing.T) {
	i := newInstallation(t)
	i.denied = []string{"/api/v1/projects/vod/media/jobs"}
	f := i.found(t)["right to read job in vod"]
	want(t, f, doctor.Failed, doctor.RightMissing)
	lacks, ok := errors.AsType[*doctor.RightError](f.Cause)
	if !ok || lacks.Right != "ams.job.get" || mkio.StatusOf(lacks) != http.StatusForbidden {
		t.Errorf("the cause is %v", f.Cause)
	}
}

func TestAProjectThatIsNotThereIsNotAskedFurther(t *testing.T) {
	i := newInstallation(t)
	i.MKIO.Projects = []string{"nowhere", "vod", "live"}
	i.denied = []string{"/api/v1/projects/live"}
	all := i.found(t)
	want(t, all["project nowhere"], doctor.Failed, doctor.ProjectMissing)
	want(t, all["project vod"], doctor.OK)
	want(t, all["project live"], doctor.Warning, doctor.ProjectUnreadable)
	for check, made := range map[string]bool{"right to read job in nowhere": false, "right to read job in vod": true, "right to read job in live": true} {
		if _, ok := all[check]; ok != made {
			t.Errorf("%s was checked: %t", check, ok)
		}
	}
}

func TestStreamsThatAreMissingAreNoFailureWhereABridgeMakesThem(t *testing.T) {
	i := newInstallation(t)
	i.withNATS(t)
	all := i.found(t)
	want(t, all["JetStream"], doctor.OK)
	want(t, all["stream MKIO_EVENTS"], doctor.Warning, doctor.StreamUncreated)
	if _, tried := all["publishing"]; tried {
		t.Error("it tried to write to streams that are not there")
	}
	i.withNATS(t) // the connection was closed
	i.NATS.Streams.Create = false
	want(t, i.found(t)["stream MKIO_EVENTS"], doctor.Failed, doctor.StreamMissing)
}

func TestAWholeInstallationIsCheckedAndNothingIsWritten(t *testing.T) {
	i := newInstallation(t)
	js := i.withNATS(t)
	if err := streams.Ensure(t.Context(), js, i.NATS.Streams); err != nil {
		t.Fatal(err)
	}
	all := i.found(t)
	for _, check := range []string{"NATS", "JetStream", "stream MKIO_EVENTS", "stream KV_mkio_bridge", "publishing", "the log's MK.IO"} {
		want(t, all[check], doctor.OK, all[check].Codes...)
	}
	if !js.Conn().IsClosed() {
		t.Error("the connection was left open")
	}
}

// Who has seen enough is shown no more, and waits for no more.
func TestFindingsEndWithTheirReader(t *testing.T) {
	i := newInstallation(t)
	asked := false
	i.MKIO.Way = func() (http.RoundTripper, error) { asked = true; return nil, context.Canceled }
	n := 0
	for range doctor.Examine(t.Context(), i.Config) {
		n++
		break
	}
	if n != 1 || asked {
		t.Errorf("%d findings; MK.IO asked afterwards: %t", n, asked)
	}
}
