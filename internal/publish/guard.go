package publish

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Times of the guard.
const (
	quietLook  = 30 * time.Second       // between two looks, where the configuration says nothing else
	wakePause  = 50 * time.Millisecond  // many wake it at once
	shutLook   = 500 * time.Millisecond // between two tries to open a gate
	lookWait   = ackWait                // for one look; who probes /readyz waits meanwhile
	remakeWait = time.Second            // before a missing stream is made again
)

// guard sees to it, until the context ends, that gates open again, that streams which somebody deleted are made
// again, and that another log is noticed.
func (p *Publisher) guard(ctx context.Context) {
	status := p.nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.DISCONNECTED)
	defer p.nc.RemoveStatusListener(status)
	wait := time.Duration(0)
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-status:
		case <-p.wake:
			if pause(ctx, max(wakePause, p.gate.respite(), p.aside.respite())) != nil {
				return
			}
		case <-timer.C:
		}
		timer.Stop()
		found := p.tend(ctx)
		wait = p.lookEvery
		if found != nil {
			wait = max(shutLook, p.gate.respite(), p.aside.respite())
		}
	}
}

// tend looks once, and puts right what it may.
func (p *Publisher) tend(ctx context.Context) error {
	shut := p.Trouble() != nil
	c := p.examine(ctx, shut)
	if len(c.missing) > 0 && p.streams.Create {
		// Who deleted a stream in order to make it otherwise gets the moment to; and the server clears away a
		// deleted stream in the background, and must not find the new one there.
		if pause(ctx, remakeWait) != nil {
			return ctx.Err()
		}
		if err := p.remake(ctx, c.missing); err != nil {
			p.log.Error("a stream is missing and cannot be made again; it is tried again", "error", err)
			return err
		}
		c = p.examine(ctx, true)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.tell(c.err())
	return c.err()
}

// remake makes the streams that are missing. Other bridges may do so at the same time: one of them is first.
func (p *Publisher) remake(ctx context.Context, missing []string) error {
	ctx, cancel := context.WithTimeout(ctx, remakeTime)
	defer cancel()
	err := Ensure(ctx, p.js, p.streams)
	if _, ok := errors.AsType[unfit](err); err != nil && !ok {
		return err
	}
	for _, name := range missing {
		if name == p.names.EventStream() {
			p.log.Error("the event log was missing and was made again: the log begins anew, and what it held is lost", "stream", name)
			continue
		}
		p.log.Error("a stream was missing and was made again", "stream", name)
	}
	return nil
}

// remakeTime is for making all of them.
const remakeTime = 20 * time.Second

// tell logs what was found, when it is not what was found before.
func (p *Publisher) tell(found error) {
	text := ""
	if found != nil {
		text = found.Error()
	}
	if text == p.told {
		return
	}
	p.told = text
	if found == nil {
		p.log.Info("JetStream is as the bridge needs it again")
		return
	}
	p.log.Error("JetStream is not as the bridge needs it; /readyz tells", "error", found)
}

// A condition is how JetStream was found.
type condition struct {
	missing []string // streams
	unfit   []error  // what of the streams is not as it must be
	stuck   error    // why the log cannot be written
}

// err says all that is wrong; nil: nothing.
func (c condition) err() error {
	all := c.unfit
	if c.stuck != nil {
		all = append(all, c.stuck)
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	words := make([]string, len(all))
	for i, err := range all {
		words[i] = err.Error()
	}
	return fmt.Errorf("%s", strings.Join(words, "; besides, "))
}
