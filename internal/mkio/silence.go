package mkio

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A silence is how long MK.IO has not answered. An answer of any status ends it, whoever gave it.
type silence struct {
	log    *slog.Logger
	advise func(error) string // what to do about a lost request; nil: nothing is known

	mu       sync.Mutex
	answered time.Time // when the last answer came
	since    time.Time // zero: MK.IO answers
	lost     time.Time // when the last request was lost
	warned   time.Time // when the silence was last logged
	said     bool      // that there is this one
}

const (
	silentFor  = 10 * time.Second // a request that is lost while others are answered is no silence
	silentWarn = time.Minute      // between two warnings of silences that end and begin again
	// silentUntil is how long a silence lasts in which nothing is asked any more. Requests that fail are repeated sooner.
	silentUntil = 15 * time.Minute
)

// answer notes an answer.
func (s *silence) answer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered = time.Now()
	if s.said {
		s.log.Info("MK.IO answers again", "after", s.answered.Sub(s.since).Round(time.Millisecond))
	}
	s.since, s.said = time.Time{}, false
}

// lose notes a request that began at a time and had no answer.
func (s *silence) lose(ctx context.Context, began time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if began.Before(s.answered) && now.Sub(s.answered) < silentFor {
		return
	}
	s.lost = now
	if s.since.IsZero() {
		s.since = began
		if s.answered.After(began) {
			s.since = s.answered
		}
	}
	if s.said || now.Sub(s.warned) < silentWarn {
		return
	}
	s.said, s.warned = true, now
	attributes := []any{"since", s.since.UTC().Format(time.RFC3339), "error", err}
	if s.advise != nil {
		attributes = append(attributes, "do", s.advise(err))
	}
	s.log.WarnContext(ctx, "MK.IO does not answer; it is asked again", attributes...)
}

// lasts is how long MK.IO has not answered; 0 while it does.
func (s *silence) lasts() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() || time.Since(s.lost) > silentUntil {
		return 0
	}
	return time.Since(s.since)
}

var unanswered = prometheus.NewDesc("mkio_bridge_api_unanswered_seconds",
	"How long MK.IO's API has answered no request; 0 while it answers, whatever the status.", nil, nil)

// Describe makes it a collector.
func (s *silence) Describe(ch chan<- *prometheus.Desc) { ch <- unanswered }

// Collect tells how long it lasts by now.
func (s *silence) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(unanswered, prometheus.GaugeValue, s.lasts().Seconds())
}
