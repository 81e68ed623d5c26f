package publish

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/pause"
)

// Times of the guard.
const (
	wakePause = 50 * time.Millisecond  // many wake it at once
	shutLook  = 500 * time.Millisecond // between two tries to open a gate
	lookWait  = ackWait                // for one probe; who probes /readyz waits meanwhile
)

// guard sees to it, until the context ends, that gates open again. It probes with writes, and only where something is
// wrong; beside it the streams are watched, which may take long.
func (p *Publisher) guard(ctx context.Context) {
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { p.streams.Run(ctx, p.survey, p.probe) })
	status := p.nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.DISCONNECTED)
	defer p.nc.RemoveStatusListener(status)
	for {
		var again <-chan time.Time
		if p.Trouble() != nil {
			again = time.After(max(shutLook, p.gate.respite()))
		} else if _, err := p.aside.pass(); err != nil {
			again = time.After(max(shutLook, p.aside.respite()))
		}
		select {
		case <-ctx.Done():
			return
		case <-status:
		case <-p.wake:
			if pause.For(ctx, max(wakePause, p.gate.respite(), p.aside.respite())) != nil {
				return
			}
		case <-again:
		}
		p.streams.Wake()
		p.probe(ctx)
		if ctx.Err() != nil {
			return
		}
		p.streams.Report()
	}
}
