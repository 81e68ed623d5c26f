package broker

import (
	"fmt"

	"github.com/nats-io/nats.go"
)

// openTap carries what the bridge publishes below the subjects over to the readers' account.
//
// To export the subjects would be one line of configuration, and a hole: a reader's subscription would
// then be interest within the bridge's account, and a push consumer, which readers may create, delivers
// wherever there is interest. One that delivers to a subject of the log would write to the log.
func (e *Embedded) openTap(subjects []string, unseen string) error {
	from, err := e.Connect()
	if err != nil {
		return err
	}
	e.tap = append(e.tap, from)
	to, err := e.connect(e.carrier)
	if err != nil {
		return err
	}
	e.tap = append(e.tap, to)
	for _, subject := range subjects {
		if _, err := from.Subscribe(subject, func(m *nats.Msg) {
			if unseen != "" && m.Header.Get(unseen) != "" {
				return
			}
			// The reply subject stays behind: it is the bridge's. An error is nobody's concern: who must
			// not miss a message reads the stream.
			_ = to.PublishMsg(&nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data})
		}); err != nil {
			return fmt.Errorf("embedded NATS server: subscribe to %s: %w", subject, err)
		}
	}
	if err := from.Flush(); err != nil {
		return fmt.Errorf("embedded NATS server: %w", err)
	}
	return nil
}

// closeTap ends it before the server does, or it would connect again.
func (e *Embedded) closeTap() {
	for _, nc := range e.tap {
		nc.Close()
	}
}
