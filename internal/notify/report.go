package notify

import (
	"context"
	"maps"
	"time"

	"mkio-bridge/internal/event"
)

// A failure is why the last try of a rule failed; zero after a message was sent.
type failure struct {
	text string
	at   time.Time
}

// reportInterval is the shortest time between two reports: each changes the consumer's configuration.
const reportInterval = time.Minute

// maxReported limits a reported error, in characters.
const maxReported = 200

// report stores the last failure in the metadata of the rule's consumer, where every bridge can read it.
func (s *session) report(ctx context.Context) {
	last := s.gauges.lastFailure()
	if last.text == s.reported.text || time.Since(s.reportedAt) < reportInterval {
		return
	}
	config := s.config
	config.Metadata = maps.Clone(config.Metadata)
	if last.text != "" {
		config.Metadata[event.NotifyError] = last.text
		config.Metadata[event.NotifyErrorTime] = last.at.UTC().Format(time.RFC3339)
	}
	if _, err := s.JS.UpdateConsumer(ctx, s.Names.EventStream(), config); err != nil {
		s.Log.Debug("last error cannot be reported", "rule", s.rule.Name, "error", err)
		return
	}
	s.reported, s.reportedAt = last, time.Now()
}
