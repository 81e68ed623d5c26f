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

// report stores the last failure in the metadata of the rule's consumer, where every bridge can read it. stored is the metadata
// as it is, perhaps by another process that ran the rule before.
func (s *session) report(ctx context.Context, stored map[string]string) {
	last := s.gauges.lastFailure()
	if last.text == stored[event.NotifyError] || time.Since(s.reportedAt) < reportInterval {
		return
	}
	config := s.config
	config.Metadata = maps.Clone(config.Metadata)
	delete(config.Metadata, event.NotifyError)
	delete(config.Metadata, event.NotifyErrorTime)
	if last.text != "" {
		config.Metadata[event.NotifyError] = last.text
		config.Metadata[event.NotifyErrorTime] = last.at.UTC().Format(time.RFC3339)
	}
	if _, err := s.JS.UpdateConsumer(ctx, s.Names.EventStream(), config); err != nil {
		s.Log.Debug("last error cannot be reported", "rule", s.rule.Name, "error", err)
		return
	}
	s.reportedAt = time.Now()
}
