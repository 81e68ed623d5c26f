package publish

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// StoreCoverage stores a record of what was compared with MK.IO. Only audits read it: a record that is not stored leaves a
// gap in what an audit can verify.
func (p *Publisher) StoreCoverage(ctx context.Context, c event.Coverage) error {
	payload, err := c.Encode()
	if err != nil {
		return err
	}
	msg := nats.NewMsg(p.names.AuditSubject(c.Project, c.Kind))
	msg.Header.Set(event.HeaderContentType, "application/json")
	msg.Data = payload
	publishing, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	if _, err := p.js.PublishMsg(publishing, msg, jetstream.WithExpectStream(p.names.AuditStream()), jetstream.WithRetryAttempts(0)); err != nil {
		signal(p.watchdog.wake) // the stream may be gone
		return fmt.Errorf("store coverage on %s: %w", msg.Subject, err)
	}
	return nil
}

// LastCoverage returns the last coverage record of a project and kind; false where there is none.
func (p *Publisher) LastCoverage(ctx context.Context, project string, kind lifecycle.Kind) (event.Coverage, bool, error) {
	reading, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	subject := p.names.AuditSubject(project, kind)
	m, err := p.reader.get(reading, p.names.AuditStream(), map[string]any{"last_by_subj": subject})
	if err != nil {
		return event.Coverage{}, false, fmt.Errorf("read the last coverage on %s: %w", subject, err)
	}
	if m == nil {
		return event.Coverage{}, false, nil
	}
	c, err := event.DecodeCoverage(m.Data)
	if err != nil {
		return c, false, nil // a foreign message is no record
	}
	return c, true, nil
}
