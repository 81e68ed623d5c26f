package mkio

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// An outage tracks how long MK.IO has not responded. A response of any status ends it, even a gateway's.
type outage struct {
	log    *slog.Logger
	advise func(error) string // advice for the log line; nil: none

	mu           sync.Mutex
	lastResponse time.Time // when the last response arrived
	start        time.Time // zero: no outage
	lastFailure  time.Time // when the last request failed
	lastWarning  time.Time // when an outage was last logged
	logged       bool      // this outage was logged
}

const (
	outageAfter  = 10 * time.Second // a failed request among successful ones is no outage
	warnInterval = time.Minute      // at least this long between two warnings of an intermittent outage
	// outageExpiry ends an outage without further requests. Failed requests are retried sooner.
	outageExpiry = 15 * time.Minute
)

// responded records a response.
func (s *outage) responded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastResponse = time.Now()
	if s.logged {
		s.log.Info("MK.IO responds again", "after", s.lastResponse.Sub(s.start).Round(time.Millisecond))
	}
	s.start, s.logged = time.Time{}, false
}

// failed records a request that began at a time and got no response.
func (s *outage) failed(ctx context.Context, began time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if began.Before(s.lastResponse) && now.Sub(s.lastResponse) < outageAfter {
		return
	}
	s.lastFailure = now
	if s.start.IsZero() {
		s.start = began
		if s.lastResponse.After(began) {
			s.start = s.lastResponse
		}
	}
	if s.logged || now.Sub(s.lastWarning) < warnInterval {
		return
	}
	s.logged, s.lastWarning = true, now
	attributes := []any{"since", s.start.UTC().Format(time.RFC3339), "error", err}
	if s.advise != nil {
		attributes = append(attributes, "do", s.advise(err))
	}
	s.log.WarnContext(ctx, "MK.IO does not respond; retrying", attributes...)
}

// duration returns how long the outage has lasted; 0 if there is none.
func (s *outage) duration() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.start.IsZero() || time.Since(s.lastFailure) > outageExpiry {
		return 0
	}
	return time.Since(s.start)
}

var unansweredDesc = prometheus.NewDesc("mkio_bridge_api_unanswered_seconds",
	"Time since MK.IO's API last responded to a request; 0 while it responds, with any status.", nil, nil)

// Describe implements prometheus.Collector.
func (s *outage) Describe(ch chan<- *prometheus.Desc) { ch <- unansweredDesc }

// Collect implements prometheus.Collector.
func (s *outage) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(unansweredDesc, prometheus.GaugeValue, s.duration().Seconds())
}
