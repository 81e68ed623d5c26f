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

// A switched API answers, or keeps requests until they are given up.
type switched struct {
	api
	silent atomic.Bool
}

func (s *switched) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.silent.Load() {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return s.api.RoundTrip(r)
}

func TestSilenceOfMKIOIsLoggedAndMeasuredWithinAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		way := &switched{api: answerProject}
		c, err := NewClient(ClientConfig{
			BaseURL: "https://mkio.test", Token: func() string { return testToken }, PerMinute: 1000, Transport: way,
			Log: slog.New(slog.NewTextHandler(&log, nil)), Advise: func(error) string { return "look at the way there" },
		})
		if err != nil {
			t.Fatal(err)
		}
		ask := func() { _, _ = c.Project(t.Context(), Changes, "aurora-vod") } // what it finds is not the question
		seconds := func() float64 { return testutil.ToFloat64(c.silence) }

		ask()
		if log.Len() > 0 || seconds() != 0 {
			t.Errorf("while MK.IO answers: %g s, %s", seconds(), log.String())
		}
		way.silent.Store(true)
		go ask()
		time.Sleep(time.Minute)
		if v := seconds(); v < 30 || v > 60 {
			t.Errorf("unanswered for %g s", v)
		}
		if line := log.String(); strings.Count(line, "level=WARN") != 1 || !strings.Contains(line, "MK.IO does not answer") || !strings.Contains(line, "look at the way there") {
			t.Errorf("log: %s", line)
		}
		time.Sleep(3 * time.Minute) // the request has ended
		log.Reset()
		way.silent.Store(false)
		ask()
		if line := log.String(); !strings.Contains(line, "MK.IO answers again") || seconds() != 0 {
			t.Errorf("afterwards %g s, %s", seconds(), line)
		}
	})
}

func TestOneLostRequestAmongOthersIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &silence{log: slog.New(slog.DiscardHandler)}
		began := time.Now()
		time.Sleep(requestTime - time.Second)
		s.answer()
		time.Sleep(time.Second)
		s.lose(t.Context(), began, errors.New("lost"))
		if s.lasts() != 0 {
			t.Errorf("a silence of %s", s.lasts())
		}
	})
}

func TestASilenceEndsWhenNothingIsAskedAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &silence{log: slog.New(slog.DiscardHandler)}
		s.lose(t.Context(), time.Now(), errors.New("lost"))
		time.Sleep(silentUntil - time.Second)
		if s.lasts() == 0 {
			t.Error("it has ended already")
		}
		time.Sleep(2 * time.Second)
		if s.lasts() != 0 {
			t.Errorf("it lasts %s", s.lasts())
		}
	})
}
