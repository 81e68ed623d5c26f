package broker

import (
	"fmt"

	"github.com/nats-io/nats.go"
)

// openRelay republishes the bridge's messages on some subjects to the readers' account.
//
// Exporting the subjects would take one line of configuration, but would not be safe: a reader's subscription would then be
// interest within the bridge's account, and a push consumer, which readers may create, delivers wherever there is interest.
// One that delivers to a subject of the log would write to the log.
func (e *Embedded) openRelay(subjects []string, hiddenHeader string) error {
	from, err := e.Connect()
	if err != nil {
		return err
	}
	e.relay = append(e.relay, from)
	to, err := e.connect(e.relayUser)
	if err != nil {
		return err
	}
	e.relay = append(e.relay, to)
	for _, subject := range subjects {
		if _, err := from.Subscribe(subject, func(m *nats.Msg) {
			if hiddenHeader != "" && m.Header.Get(hiddenHeader) != "" {
				return
			}
			// The reply subject is left out: it is the bridge's. Errors are ignored: a reader that must not miss a message
			// reads the stream.
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

// closeRelay closes the relay's connections before the server stops; otherwise they would reconnect.
func (e *Embedded) closeRelay() {
	for _, nc := range e.relay {
		nc.Close()
	}
}
