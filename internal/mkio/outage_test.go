package mkio

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// A hangingAPI responds, or lets requests hang until they are cancelled.
type hangingAPI struct {
	api
	hanging atomic.Bool
}

func (s *hangingAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.hanging.Load() {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return s.api.RoundTrip(r)
}

func TestOutageIsLoggedAndMeasuredWithinAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		transport := &hangingAPI{api: respondWithProject}
		c, err := NewClient(ClientConfig{
			BaseURL: "https://mkio.test", Token: func() string { return testToken }, PerMinute: 1000, Transport: transport,
			Log: slog.New(slog.NewTextHandler(&log, nil)), Advise: func(error) string { return "check the network" },
		})
		if err != nil {
			t.Fatal(err)
		}
		request := func() { _, _ = c.Project(t.Context(), Changes, "aurora-vod") } // only whether it responds matters
		seconds := func() float64 { return testutil.ToFloat64(c.outage) }

		request()
		if log.Len() > 0 || seconds() != 0 {
			t.Errorf("while MK.IO responds: %g s, %s", seconds(), log.String())
		}
		transport.hanging.Store(true)
		go request()
		time.Sleep(time.Minute)
		if v := seconds(); v < 30 || v > 60 {
			t.Errorf("outage of %g s", v)
		}
		if line := log.String(); strings.Count(line, "level=WARN") != 1 || !strings.Contains(line, "MK.IO does not respond") || !strings.Contains(line, "check the network") {
			t.Errorf("log: %s", line)
		}
		time.Sleep(3 * time.Minute) // the request has ended
		log.Reset()
		transport.hanging.Store(false)
		request()
		if line := log.String(); !strings.Contains(line, "MK.IO responds again") || seconds() != 0 {
			t.Errorf("afterwards %g s, %s", seconds(), line)
		}
	})
}

func TestOneFailedRequestIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &outage{log: slog.New(slog.DiscardHandler)}
		began := time.Now()
		time.Sleep(requestTimeout - time.Second)
		s.responded()
		time.Sleep(time.Second)
		s.failed(t.Context(), began, errors.New("lost"))
		if s.duration() != 0 {
			t.Errorf("outage of %s, want none", s.duration())
		}
	})
}

func TestOutageExpiresWithoutRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &outage{log: slog.New(slog.DiscardHandler)}
		s.failed(t.Context(), time.Now(), errors.New("lost"))
		time.Sleep(outageExpiry - time.Second)
		if s.duration() == 0 {
			t.Error("the outage has ended already")
		}
		time.Sleep(2 * time.Second)
		if s.duration() != 0 {
			t.Errorf("outage of %s, want none", s.duration())
		}
	})
}
